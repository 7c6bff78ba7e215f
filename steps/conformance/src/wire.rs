//! Reading requests off a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The longest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The values of a header.
    pub(crate) fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The length of the body as it is announced.
    fn announced(&self) -> Result<usize, String> {
        if self.header("transfer-encoding").next().is_some() {
            return Err("has a body in chunks; its length must be announced".into());
        }
        match self.header("content-length").next() {
            None => Ok(0),
            Some(length) => match length.parse() {
                Ok(length) if length <= MAX_BODY => Ok(length),
                _ => Err("announces a length that no request of this connector has".into()),
            },
        }
    }
}

/// The requests of a connection.
pub(crate) struct Requests {
    read: Vec<u8>,
}

/// The reason why there is no request.
pub(crate) enum NoRequest {
    /// The client has closed the connection between two requests.
    Closed,
    /// The bytes are no request, as this clause about it says.
    Unreadable(String),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl Requests {
    pub(crate) fn new() -> Self {
        Self { read: Vec::new() }
    }

    /// Reads the head of the next request.
    pub(crate) async fn head(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Request, NoRequest> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut parsed = httparse::Request::new(&mut headers);
            let length = match parsed.parse(&self.read) {
                Ok(httparse::Status::Complete(length)) => length,
                Ok(httparse::Status::Partial) if self.read.len() < MAX_HEAD => {
                    if stream.read_buf(&mut self.read).await? == 0 {
                        return match self.read.is_empty() {
                            true => Err(NoRequest::Closed),
                            false => Err(NoRequest::Unreadable("ends within its head".into())),
                        };
                    }
                    continue;
                }
                Ok(_) => return Err(NoRequest::Unreadable("has a head that is too long".into())),
                Err(error) => return Err(NoRequest::Unreadable(format!("is not HTTP/1.1 ({error})"))),
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let request = Request {
                method: parsed.method.unwrap_or_default().into(),
                target: parsed.path.unwrap_or_default().into(),
                headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
                body: Vec::new(),
            };
            self.read.drain(..length);
            return Ok(request);
        }
    }

    /// Reads the body of the request whose head was read.
    pub(crate) async fn body(
        &mut self,
        request: &mut Request,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<(), NoRequest> {
        let length = request.announced().map_err(NoRequest::Unreadable)?;
        while self.read.len() < length {
            if stream.read_buf(&mut self.read).await? == 0 {
                return Err(NoRequest::Unreadable("ends within its body".into()));
            }
        }
        request.body = self.read.drain(..length).collect();
        Ok(())
    }
}
