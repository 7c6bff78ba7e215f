//! Sending answers, also broken ones.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::{Answer, Framing, Part, Then};

/// The most bytes of an endless answer.
const MAX_ENDLESS: u64 = 96 * 1024 * 1024;
/// The longest body that is sent, before compression, in bytes.
const MAX_BODY: usize = 128 * 1024 * 1024;

/// The texts that stand for other ones in headers and bodies.
#[derive(Debug, Clone)]
pub(crate) struct Placeholders(pub(crate) Vec<(&'static str, String)>);

impl Placeholders {
    pub(crate) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

/// Sends an answer. Returns the number of bytes of its body, and true if the connection is kept.
pub(crate) async fn send(
    stream: &mut TcpStream,
    answer: &Answer,
    placeholders: &Placeholders,
) -> io::Result<(u64, bool)> {
    tokio::time::sleep(Duration::from_millis(answer.delay_ms)).await;
    let mut sent = 0;
    if let Some(raw) = &answer.raw {
        stream.write_all(&latin_1(&placeholders.fill(raw))).await?;
    } else if let Some(status) = answer.status {
        sent = send_response(stream, answer, status, placeholders).await?;
    }
    match answer.then {
        Then::Keep => return Ok((sent, true)),
        Then::Close => {
            stream.shutdown().await?;
            drain(stream).await;
        }
        Then::Reset => stream.set_zero_linger()?,
        Then::Silence => drain(stream).await,
        Then::Endless => {
            let part = answer.body.last().map(|part| bytes(part, placeholders)).unwrap_or_default();
            let part = framed(&part, answer.framing);
            while !part.is_empty() && sent < MAX_ENDLESS {
                // The client closes the connection sooner or later, and that is no failure.
                if stream.write_all(&part).await.is_err() {
                    break;
                }
                sent += part.len() as u64;
            }
        }
    }
    Ok((sent, false))
}

/// Reads until the client closes the connection. Closing with unread bytes would reset it.
async fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

async fn send_response(
    stream: &mut TcpStream,
    answer: &Answer,
    status: u16,
    placeholders: &Placeholders,
) -> io::Result<u64> {
    let mut body = Vec::new();
    for part in &answer.body {
        body.extend(bytes(part, placeholders));
    }
    if answer.gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&body)?;
        body = encoder.finish()?;
    }
    let mut head = Vec::new();
    for interim in &answer.interim {
        head.extend(format!("HTTP/1.1 {interim} Interim\r\n\r\n").bytes());
    }
    head.extend(format!("HTTP/1.1 {status} {}\r\n", reason(status)).bytes());
    match answer.framing {
        Framing::Length => head.extend(format!("Content-Length: {}\r\n", body.len()).bytes()),
        Framing::Chunked => head.extend(b"Transfer-Encoding: chunked\r\n"),
        Framing::Close | Framing::None => {}
    }
    for header in &answer.headers {
        head.extend(latin_1(&placeholders.fill(header)));
        head.extend(b"\r\n");
    }
    head.extend(b"\r\n");
    let whole = body.len();
    body.truncate(answer.cut_after.unwrap_or(whole));
    if answer.framing == Framing::None {
        body.clear();
    }
    let is_whole = answer.cut_after.is_none() && answer.then != Then::Endless;
    let Some(pieces) = answer.pieces else {
        // In one piece, so that no client has to wait for the second one.
        if !body.is_empty() {
            head.extend(framed(&body, answer.framing));
        }
        if is_whole && answer.framing == Framing::Chunked {
            head.extend(b"0\r\n\r\n");
        }
        stream.write_all(&head).await?;
        return Ok(body.len() as u64);
    };
    stream.write_all(&head).await?;
    for piece in body.chunks(pieces.bytes.max(1)) {
        tokio::time::sleep(Duration::from_millis(pieces.pause_ms)).await;
        stream.write_all(&framed(piece, answer.framing)).await?;
    }
    if is_whole && answer.framing == Framing::Chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(body.len() as u64)
}

fn framed(bytes: &[u8], framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Chunked => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
        Framing::Length | Framing::Close | Framing::None => bytes.to_vec(),
    }
}

/// The bytes of a text: one for each character up to U+00FF, so that a header may have any bytes, and UTF-8 for others.
fn latin_1(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

fn bytes(part: &Part, placeholders: &Placeholders) -> Vec<u8> {
    match part {
        Part::Text(text) => placeholders.fill(text).into_bytes(),
        Part::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
        Part::Json(json) => placeholders.fill(&json.to_string()).into_bytes(),
        Part::Repeat { text, times } => {
            text.as_bytes().repeat((*times).min(MAX_BODY.checked_div(text.len()).unwrap_or_default()))
        }
        Part::Users { first, count, name_bytes } => {
            let name = "x".repeat((*name_bytes).min(1 << 16));
            let user =
                |n| format!(r#"{{"id":"U{n}","email":"u{n}@example.com","display_name":"{name}","state":"ACTIVE"}}"#);
            let users: Vec<String> = (*first..first.saturating_add((*count).min(1000))).map(user).collect();
            users.join(",").into_bytes()
        }
    }
}

fn reason(status: u16) -> String {
    let status = http::StatusCode::from_u16(status).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("Unknown").into()
}
