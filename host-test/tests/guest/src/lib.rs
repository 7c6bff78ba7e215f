//! A hostile component. The setting `behaviour` selects its misbehaviour.

#![cfg_attr(target_family = "wasm", no_std)]
#![allow(unsafe_code, clippy::indexing_slicing, reason = "generated code lifts and lowers by pointers")]
#![allow(missing_debug_implementations, unreachable_pub, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without reasons")]

#[cfg(target_family = "wasm")]
extern crate alloc;

#[cfg(target_family = "wasm")]
use onepassword_users_guest_runtime as _;

#[cfg(target_family = "wasm")]
mod guest {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;
    use alloc::{format, vec};

    use wasi::http::outgoing_handler;
    use wasi::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};
    use wasi::io::streams::StreamError;

    wit_bindgen::generate!({
        world: "plugin",
        path: "../../../wit",
        generate_all,
        with: {
            "wasi:clocks/monotonic-clock@0.2.0": wasi::clocks::monotonic_clock,
            "wasi:http/outgoing-handler@0.2.0": wasi::http::outgoing_handler,
            "wasi:http/types@0.2.0": wasi::http::types,
            "wasi:io/error@0.2.0": wasi::io::error,
            "wasi:io/poll@0.2.0": wasi::io::poll,
            "wasi:io/streams@0.2.0": wasi::io::streams,
        },
    });

    use automation::connector::{secrets, settings};
    use exports::automation::connector::{connector, failures};
    use exports::onepassword::users::actions::Guest;
    use exports::onepassword::users::types::{
        ChangeMode, ErrorCode, Failure, FailureClass, ListQuery, StateChange, User, UserList, UserRef,
    };

    struct Component;
    export!(Component);

    fn setting(name: &str) -> String {
        let values = settings::get(&[name.to_string()]).unwrap_or_default();
        values.into_iter().next().flatten().unwrap_or_default()
    }

    /// Reports to the test, as the message of an error.
    fn report<T>(message: String) -> Result<T, Failure> {
        Err(Failure {
            code: ErrorCode::Other,
            class: FailureClass::Refused,
            message,
            remedy: String::new(),
            retryable: false,
            retry_after: None,
            may_have_changed: false,
            subject: None,
            user_id: None,
            candidates: Vec::new(),
            more_candidates: false,
            service: None,
        })
    }

    impl exports::automation::connector::manifest::Guest for Component {
        /// As much as the host needs to know the origins.
        fn describe() -> String {
            if setting("behaviour") == "no manifest" {
                return String::from("{");
            }
            let mut text = String::from(r#"{"settings":[],"secrets":[],"codes":[],"actions":[],"#);
            for name in ["name", "title", "description", "version", "vendor", "product", "category", "documentation"] {
                text += &format!(r#""{name}":"","#);
            }
            let origin = "https://api.1password.com";
            text + &format!(r#""origins":{{"default":"{origin}","allowed":["{origin}"],"setting":"base-url"}}}}"#)
        }
    }

    impl connector::Guest for Component {
        fn invoke(action: String, arguments: String) -> Result<connector::Output, failures::Failure> {
            match setting("behaviour").as_str() {
                "trap" => core::arch::wasm32::unreachable(),
                "fail" => Err(failures::Failure {
                    code: action,
                    class: failures::FailureClass::Retry,
                    message: arguments,
                    remedy: String::new(),
                    retryable: true,
                    retry_after: None,
                    may_have_changed: false,
                    subject: None,
                    user_id: None,
                    candidates: Vec::new(),
                    more_candidates: false,
                    service: None,
                }),
                _ => Ok(connector::Output { parts: vec![action, arguments], summary: String::new(), changed: false }),
            }
        }

        fn test() -> Result<connector::Output, failures::Failure> {
            Self::invoke(String::new(), String::new())
        }
    }

    impl Guest for Component {
        fn list_users(_: ListQuery) -> Result<UserList, Failure> {
            match setting("behaviour").as_str() {
                "spin" => {
                    let mut n = 0_u64;
                    loop {
                        n = core::hint::black_box(n.wrapping_add(1));
                    }
                }
                "exhaust memory" => {
                    let mut memory = Vec::new();
                    loop {
                        memory.push(core::hint::black_box(vec![1_u8; 1024 * 1024]));
                    }
                }
                "trap" => core::arch::wasm32::unreachable(),
                "fetch" => report(fetch(&setting("authority"), None)),
                "set a header" => report(fetch(&setting("authority"), Some(&setting("header")))),
                "read forever" => report(fetch(&setting("authority"), None)),
                "look up forever" => loop {
                    let _ = secrets::get(&[String::from("client-secret")]);
                },
                "look up long names forever" => loop {
                    let _ = secrets::get(&["x".repeat(1024 * 1024)]);
                },
                "fetch denied forever" => loop {
                    fetch("evil.example", None);
                },
                "open connections" => {
                    let open: Vec<_> = (0..490).map(|_| start(&setting("authority"))).collect();
                    if let Some(Some(response)) = open.first() {
                        response.subscribe().block();
                    }
                    // They stay open after the call.
                    core::mem::forget(open);
                    report(String::from("opened"))
                }
                "post forever" => report(post(&setting("authority"))),
                "hoard resources" => {
                    let mut fields = Vec::new();
                    loop {
                        fields.push(Fields::new());
                    }
                }
                "look up a long name" => report(format!("{:?}", secrets::get(&["x".repeat(1000)]))),
                other => report(format!("nothing done: {other}")),
            }
        }

        fn get_user(_: UserRef) -> Result<User, Failure> {
            report(String::from("nothing done"))
        }

        fn find_users(_: Vec<UserRef>) -> Result<Vec<Result<User, Failure>>, Failure> {
            report(String::from("nothing done"))
        }

        fn suspend_user(_: UserRef, _: ChangeMode) -> Result<StateChange, Failure> {
            let behaviour = setting("behaviour");
            let (request, end) = behaviour.split_once(", then ").unwrap_or_default();
            match request {
                "look up" => drop(fetch(&setting("authority"), None)),
                "ask for a token" => drop(send(&setting("authority"), "/v1/oauth/token")),
                "change" => drop(send(&setting("authority"), "/v1/accounts/A/users/A:suspend")),
                _ => {}
            }
            match end {
                "trap" => core::arch::wasm32::unreachable(),
                "spin" => loop {
                    core::hint::black_box(end);
                },
                _ => report(format!("nothing done: {behaviour}")),
            }
        }

        fn reactivate_user(_: UserRef, _: ChangeMode) -> Result<StateChange, Failure> {
            report(String::from("nothing done"))
        }
    }

    /// Sends a POST without a body, waits for the response, and describes a failure.
    fn send(authority: &str, path: &str) -> String {
        let request = OutgoingRequest::new(Fields::new());
        let _ = request.set_method(&Method::Post);
        let _ = request.set_scheme(Some(&Scheme::Http));
        let _ = request.set_authority(Some(authority));
        let _ = request.set_path_with_query(Some(path));
        let Ok(body) = request.body() else { return String::from("no body") };
        let Ok(response) = outgoing_handler::handle(request, None) else { return String::from("no handle") };
        let _ = OutgoingBody::finish(body, None);
        response.subscribe().block();
        String::new()
    }

    /// Sends a GET, and does not wait for its response.
    fn start(authority: &str) -> Option<wasi::http::types::FutureIncomingResponse> {
        let request = OutgoingRequest::new(Fields::new());
        let _ = request.set_scheme(Some(&Scheme::Http));
        let _ = request.set_authority(Some(authority));
        let _ = request.set_path_with_query(Some("/"));
        outgoing_handler::handle(request, None).ok()
    }

    /// Sends a POST with an endless body, and describes the outcome.
    fn post(authority: &str) -> String {
        let request = OutgoingRequest::new(Fields::new());
        let _ = request.set_method(&Method::Post);
        let _ = request.set_scheme(Some(&Scheme::Http));
        let _ = request.set_authority(Some(authority));
        let _ = request.set_path_with_query(Some("/"));
        let Ok(body) = request.body() else { return String::from("no body") };
        let Ok(stream) = body.write() else { return String::from("no stream") };
        let Ok(response) = outgoing_handler::handle(request, None) else { return String::from("no handle") };
        let mut written = 0;
        while stream.blocking_write_and_flush(&[b'x'; 4096]).is_ok() {
            written += 4096;
        }
        response.subscribe().block();
        let error = response.get().map(|result| result.map(|result| result.err()));
        format!("{error:?} after {}", if written > 10_000_000 { "too much" } else { "little" })
    }

    /// Sends a GET, reads the response to its end, and describes the outcome.
    fn fetch(authority: &str, header: Option<&str>) -> String {
        let headers = Fields::new();
        if let Some(header) = header
            && let Err(error) = headers.append(&header.to_string(), &b"hostile".to_vec())
        {
            return format!("{error:?}");
        }
        let request = OutgoingRequest::new(headers);
        let _ = request.set_scheme(Some(&Scheme::Http));
        let _ = request.set_authority(Some(authority));
        let _ = request.set_path_with_query(Some("/"));
        let response = match outgoing_handler::handle(request, None) {
            Ok(response) => response,
            Err(error) => return format!("{error:?}"),
        };
        response.subscribe().block();
        let response = match response.get() {
            Some(Ok(Ok(response))) => response,
            other => return format!("{:?}", other.map(|result| result.map(|result| result.err()))),
        };
        let Ok(body) = response.consume() else { return String::from("no body") };
        let Ok(stream) = body.stream() else { return String::from("no stream") };
        let mut length = 0;
        loop {
            match stream.blocking_read(65536) {
                Ok(bytes) => length += bytes.len(),
                Err(StreamError::Closed) => return format!("{} and {length} bytes", response.status()),
                Err(StreamError::LastOperationFailed(_)) => return format!("broken after {length} bytes"),
            }
        }
    }
}
