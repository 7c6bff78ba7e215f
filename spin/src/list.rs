//! Lists, read in parts and written as they are read: whole, or as a stream of one user a line. What all lists of an instance
//! take together is bounded, since its other requests need memory, too.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::stream::unfold;
use futures::{SinkExt, StreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use onepassword_users_core::{Error, ListQuery, Listing, MAX_USERS, User};
use serde::Serialize;
use spin_sdk::http::{BoxBody, box_body};

use crate::clock::{sleep, within};
use crate::driver::{run, session};
use crate::json::{self, LastLine};
use crate::log_line::Log;
use crate::problem::Problem;

/// The most that an instance holds for lists, in bytes: a whole list of 250,000 users takes some 80 MB, a stream of 2,000,000
/// some 130 MB.
const MAX_HELD: usize = 192 * 1024 * 1024;

/// What an id takes that was met: a user id, and its place in a tree.
const ID_BYTES: usize = 64;

thread_local! {
    /// How much this instance holds for lists, in bytes: ids that were met, and text until it is sent.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// How long a reader may take for a part of a stream.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last line of a broken stream is given to leave before the connection is broken.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A list of which the first part was read, so that what fails at once has a status of its own, whatever form is wanted.
pub(crate) struct List {
    listing: Listing,
    part: Vec<User>,
    /// What the ids take that were met.
    held: Held,
    /// Whether the next part begins with a page token that the caller gave.
    callers_token: bool,
}

/// A whole list as text.
pub(crate) struct Whole {
    pub(crate) text: Vec<Bytes>,
    pub(crate) users: usize,
    pub(crate) held: Held,
}

/// A part of what the instance may hold; given back when the answer was sent, or is given up.
pub(crate) struct Held(usize);

impl Held {
    /// Takes more of it. Readers who take their time cannot fill the memory that others need.
    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let held = HELD.get() + bytes;
        if self.0 + bytes > MAX_HELD {
            return Err(Problem::list_too_long());
        }
        if held > MAX_HELD {
            return Err(Problem::busy());
        }
        HELD.set(held);
        self.0 += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(HELD.get().saturating_sub(self.0));
    }
}

impl List {
    pub(crate) async fn begin(query: ListQuery) -> Result<Self, Problem> {
        let mut list = Self {
            callers_token: query.page_token.is_some(),
            listing: Listing::new(query),
            part: Vec::new(),
            held: Held(0),
        };
        list.read().await?;
        Ok(list)
    }

    /// Reads the next part; false if there is none. Each is an action of its own, with a deadline of its own.
    async fn read(&mut self) -> Result<bool, Problem> {
        let Some(query) = self.listing.query() else { return Ok(false) };
        let list = run(session().list_users(query)).await.map_err(|error| {
            // Any other page token than that is the service's own.
            if self.callers_token { error.into() } else { Problem::upstream(error) }
        })?;
        self.callers_token = false;
        self.part = match self.listing.take(list.users, list.next_page_token, |user| &user.id) {
            Err(Error::Other { .. }) => return Err(Problem::list_too_long()),
            users => users?,
        };
        self.held.take(self.part.len() * ID_BYTES)?;
        Ok(true)
    }

    /// The users of the part that was read last.
    fn take(&mut self) -> impl Iterator<Item = json::User> {
        self.part.drain(..).map(json::User::from)
    }

    /// Reads the rest, and writes the whole as one object.
    pub(crate) async fn whole(mut self) -> Result<Whole, Problem> {
        let text = vec![Bytes::from_static(b"{\"users\":[")];
        let mut whole = Whole { text, users: 0, held: Held(0) };
        loop {
            let mut text = Vec::new();
            for user in self.take() {
                if whole.users > 0 {
                    text.push(b',');
                }
                write(&mut text, &user);
                whole.users += 1;
            }
            whole.held.take(text.len())?;
            // Without the room that it did not need.
            whole.text.push(text.into_boxed_slice().into());
            if whole.users > MAX_USERS as usize {
                return Err(Problem::list_too_long());
            }
            if !self.read().await? {
                break;
            }
        }
        let mut end = b"],\"next_page_token\":".to_vec();
        write(&mut end, &self.listing.next_page_token());
        end.extend_from_slice(b"}\n");
        whole.text.push(end.into());
        Ok(whole)
    }

    /// A body that the rest is read into while it is sent. It ends cleanly only if the list is whole: whatever else ends the
    /// work here breaks it.
    pub(crate) fn stream(mut self, mut log: Log) -> BoxBody {
        let (sender, receiver) = mpsc::channel::<Chunk>(0);
        spin_sdk::wit_bindgen::spawn(async move {
            let mut reader = Reader(sender);
            match self.send(&mut reader, &mut log).await {
                Ok(()) => log.entry.outcome = "listed",
                Err(None) => log.entry.outcome = "abandoned",
                Err(Some(problem)) => {
                    log.problem(&problem);
                    let failure = LastLine::Failure { error: Box::new(problem) };
                    if reader.take(Chunk::Lines(lines([failure]))).await.is_ok() {
                        sleep(LAST_WORDS).await;
                    }
                }
            }
            log.write();
        });
        let chunks = unfold(Some(receiver), |receiver| async {
            let mut receiver = receiver?;
            match receiver.next().await {
                Some(Chunk::Lines(lines)) => Some((Ok(Frame::data(lines)), Some(receiver))),
                Some(Chunk::End) => None,
                None => Some((Err(anyhow::anyhow!("the list is incomplete")), None)),
            }
        });
        box_body(StreamBody::new(chunks))
    }

    /// Sends all there is. Fails with what went wrong, or with nothing if the reader has left.
    async fn send(&mut self, reader: &mut Reader, log: &mut Log) -> Result<(), Option<Problem>> {
        let users = log.entry.users.insert(0);
        let mut more = true;
        while more {
            *users += self.part.len();
            reader.take(Chunk::Lines(lines(self.take()))).await?;
            more = self.read().await.map_err(Some)?;
        }
        // The list is whole if this line came: an instance that dies cannot write it, whatever becomes of the connection.
        let end = LastLine::End { next_page_token: self.listing.next_page_token().map(Into::into) };
        reader.take(Chunk::Lines(lines([end]))).await?;
        reader.take(Chunk::End).await
    }
}

/// What is handed from the work to the body.
enum Chunk {
    Lines(Bytes),
    /// The list is whole.
    End,
}

/// Whoever reads a stream.
struct Reader(mpsc::Sender<Chunk>);

impl Reader {
    /// Hands a chunk over. Fails, for no problem of ours, if nobody reads any more, or for too long.
    async fn take(&mut self, chunk: Chunk) -> Result<(), Option<Problem>> {
        match within(PATIENCE, self.0.send(chunk)).await {
            Some(Ok(())) => Ok(()),
            _ => Err(None),
        }
    }
}

fn lines(values: impl IntoIterator<Item = impl Serialize>) -> Bytes {
    let mut text = Vec::new();
    for value in values {
        write(&mut text, &value);
        text.push(b'\n');
    }
    text.into()
}

/// Writes a value into memory, of which none can fail: they are texts, numbers and truth values.
fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok());
}
