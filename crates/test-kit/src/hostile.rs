//! Hostile servers, over real sockets: raw TCP and HTTP that no honest service would send.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does after it has read a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and then nothing, without closing.
    Silence(Vec<u8>),
    /// Sends the first at once, and the second byte by byte, with pauses.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Sends the first, and then the second forever.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends the first, and then the second forever, each time after a pause.
    Repeat(Vec<u8>, Vec<u8>, Duration),
    /// Resets the connection.
    Reset,
}

/// The kind of request that is answered by the script; the other kind is answered as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Requests for a token.
    Token,
    /// All others.
    Call,
}

/// The answer to a request, given its number among those of its kind (from 0) and its head.
pub type Script = Box<dyn Fn(usize, &str) -> Answer + Send + Sync>;

/// The body of a token answer.
pub const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
/// The body of an answer about a user.
pub const USER: &str = r#"{"id":"A","email":"a@example.com","display_name":"A","state":"ACTIVE"}"#;

/// An HTTP answer, its length announced; every line of `headers` ends in CR LF.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// An answer of status 200.
pub fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "", body)
}

/// These bytes.
pub fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Starts a server on loopback that lives as long as the runtime, and returns its base URL and the count of its requests.
pub async fn serve(at: At, script: Script) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (script, count, of_kind) = (Arc::new(script), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, count, of_kind) = (script.clone(), counted.clone(), of_kind.clone());
            // A client that turns away is no fault of the server's.
            tokio::spawn(async move { answer(stream, at, &script, &count, &of_kind).await.ok() });
        }
    });
    (base_url, count)
}

async fn answer(
    mut stream: TcpStream,
    at: At,
    script: &Script,
    count: &AtomicUsize,
    of_kind: &AtomicUsize,
) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).await?;
        count.fetch_add(1, Ordering::Relaxed);
        let is_token = head.lines().next().unwrap_or_default().contains("/token ");
        if is_token != (at == At::Token) {
            stream.write_all(&ok(if is_token { TOKEN } else { USER })).await?;
            continue;
        }
        match script(of_kind.fetch_add(1, Ordering::Relaxed), &head) {
            Answer::Bytes(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Silence(bytes) => {
                stream.write_all(&bytes).await?;
                std::future::pending::<()>().await;
            }
            Answer::Drip(head, bytes, pause) => {
                stream.write_all(&head).await?;
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
            Answer::Endless(first, then) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&then).await?;
                }
            }
            Answer::Repeat(first, then, pause) => {
                stream.write_all(&first).await?;
                loop {
                    tokio::time::sleep(pause).await;
                    stream.write_all(&then).await?;
                }
            }
            Answer::Reset => return stream.set_zero_linger(),
        }
    }
}
