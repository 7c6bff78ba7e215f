//! Misbehaving servers on real sockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The behaviour of a server after it has read a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes, and reads the next request on the same connection.
    Open(Vec<u8>),
    /// Sends these bytes and then nothing, without closing.
    Silence(Vec<u8>),
    /// Sends the first at once, then the second byte by byte with pauses.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Sends the first, then repeats the second forever.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends the first, then repeats the second forever with pauses.
    Repeat(Vec<u8>, Vec<u8>, Duration),
    /// Resets the connection.
    Reset,
}

/// The kind of request that the script answers. The other kind gets a normal response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Token requests.
    Token,
    /// All other requests.
    Api,
}

/// The answer to a request, by its index among the requests of its kind, and by its head.
pub type Script = Box<dyn Fn(usize, &str) -> Answer + Send + Sync>;

/// The body of a token response.
pub const TOKEN: &str = r#"{"access_token":"canary-token","token_type":"Bearer","expires_in":900}"#;
/// The body of a user.
pub const USER: &str = r#"{"id":"A","email":"a@example.com","display_name":"A","state":"ACTIVE"}"#;

/// An HTTP response with a content length. Every line of `headers` must end in CR LF.
pub fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// A response with status 200.
pub fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "", body)
}

/// The bytes of a text.
pub fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Starts a server on loopback that lives as long as the runtime, and returns its base URL and the count of its requests.
pub async fn serve(target: Target, script: Script) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let (script, count, of_kind) = (Arc::new(script), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (script, count, of_kind) = (script.clone(), counted.clone(), of_kind.clone());
            // The client may close the connection.
            tokio::spawn(async move { answer(stream, target, &script, &count, &of_kind).await.ok() });
        }
    });
    (base_url, count)
}

async fn answer(
    mut stream: TcpStream,
    target: Target,
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
        if is_token != (target == Target::Token) {
            stream.write_all(&ok(if is_token { TOKEN } else { USER })).await?;
            continue;
        }
        match script(of_kind.fetch_add(1, Ordering::Relaxed), &head) {
            Answer::Bytes(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Open(bytes) => stream.write_all(&bytes).await?,
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
