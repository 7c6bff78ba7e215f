//! The portable composition: the component with the environment adapter, and a host that knows nothing but WASI 0.2 with outbound
//! HTTP.

use std::path::Path;

use onepassword_users_compose::portable;
use onepassword_users_test_kit::plain_wasi::connector::AnyConnector;
use onepassword_users_test_kit::plain_wasi::connector::exports::automation::connector::connector::Output;
use onepassword_users_test_kit::plain_wasi::connector::exports::automation::connector::failures::{
    Failure, FailureClass, SubjectKind,
};
use onepassword_users_test_kit::plain_wasi::{State, linker};
use serde_json::{Value, json};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Cache, CacheConfig, Config, Engine, Store};
use wasmtime_wasi::WasiCtx;

use super::{Call, Failed, Observed, Settings, Stop};

pub(crate) struct Face {
    engine: Engine,
    component: InstancePre<State<()>>,
}

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Face").finish_non_exhaustive()
    }
}

impl Face {
    pub(crate) fn new() -> Result<Self, String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let composition = portable(&workspace, &workspace.join("target/compose"))?;
        let load = || {
            let mut config = Config::new();
            config.cache(Cache::new(CacheConfig::new()).ok());
            let engine = Engine::new(&config)?;
            let component = linker(&engine).instantiate_pre(&Component::new(&engine, composition)?)?;
            Ok::<_, wasmtime::Error>((engine, component))
        };
        let (engine, component) = load().map_err(|error| format!("cannot load the composition: {error:#}"))?;
        Ok(Self { engine, component })
    }

    pub(crate) async fn session(&self, settings: &Settings) -> Result<Session, Stop> {
        let variable = |name: &str| format!("CONNECTOR_{}", name.to_uppercase().replace('-', "_"));
        let variables: Vec<(String, String)> =
            settings.iter().map(|(name, value)| (variable(name), value.clone())).collect();
        let mut store = Store::new(&self.engine, State::new(WasiCtx::builder().envs(&variables).build(), ()));
        let instance = async {
            let instance = self.component.instantiate_async(&mut store).await?;
            AnyConnector::new(&mut store, &instance)
        };
        let instance = instance.await.map_err(trap)?;
        Ok(Session { store, instance })
    }
}

fn trap(error: wasmtime::Error) -> Stop {
    Stop::Broken(format!("the component trapped: {error:#}"))
}

pub(crate) struct Session {
    store: Store<State<()>>,
    instance: AnyConnector,
}

impl Session {
    pub(crate) async fn call(&mut self, call: &Call) -> Result<Observed, Stop> {
        let connector = self.instance.automation_connector_connector();
        let result = match call.action.as_str() {
            "describe" => {
                let manifest = self.instance.automation_connector_manifest();
                let json = manifest.call_describe(&mut self.store).await.map_err(trap)?;
                return Ok(Observed { result: Ok(parse(&json)?), changed: Some(false) });
            }
            "test" => connector.call_test(&mut self.store).await,
            action => connector.call_invoke(&mut self.store, action, &call.arguments()).await,
        };
        Ok(match result.map_err(trap)? {
            Ok(Output { parts, changed, .. }) => {
                Observed { result: Ok(parse(&parts.concat())?), changed: Some(changed) }
            }
            Err(failure) => Observed { result: Err(Failed::record(record(&failure))), changed: None },
        })
    }
}

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| format!("the output is not JSON: {error}"))
}

/// The JSON form of a failure of the contract.
fn record(failure: &Failure) -> Value {
    let class = match failure.class {
        FailureClass::Caller => "caller",
        FailureClass::Settings => "settings",
        FailureClass::Credentials => "credentials",
        FailureClass::Refused => "refused",
        FailureClass::Absent => "absent",
        FailureClass::Retry => "retry",
        FailureClass::Untrusted => "untrusted",
        FailureClass::Host => "host",
    };
    let subject = failure.subject.as_ref().map(|subject| {
        let kind = match subject.kind {
            SubjectKind::Argument => "argument",
            SubjectKind::Setting => "setting",
            SubjectKind::Secret => "secret",
        };
        json!({ "kind": kind, "name": subject.name })
    });
    let service = failure
        .service
        .as_ref()
        .map(|service| json!({ "status": service.status, "code": service.code, "message": service.message }));
    json!({
        "code": failure.code,
        "class": class,
        "message": failure.message,
        "remedy": failure.remedy,
        "retryable": failure.retryable,
        "retry_after": failure.retry_after,
        "may_have_changed": failure.may_have_changed,
        "subject": subject,
        "user_id": failure.user_id,
        "candidates": failure.candidates,
        "more_candidates": failure.more_candidates,
        "service": service,
    })
}
