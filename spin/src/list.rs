//! Lists of users, read in parts: as one JSON object, or as a stream with one user per line (NDJSON). A memory budget bounds
//! all lists of an instance together, since its other requests need memory as well.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::stream::unfold;
use futures::{SinkExt, StreamExt};
use http_body::Frame;
use http_body_util::StreamBody;
use onepassword_users_core::{Error, ListQuery, Listing, MAX_USERS, TooMany, User};
use serde::Serialize;
use spin_sdk::http::{BoxBody, box_body};

use crate::clock::{sleep, within};
use crate::driver::{run, session};
use crate::json::LastLine;
use crate::log_line::Log;
use crate::problem::Problem;

/// The memory budget for the lists of an instance, in bytes. A JSON list of 250,000 users takes some 80 MB, a stream of
/// 2,000,000 users some 130 MB.
const LIST_BUDGET: usize = 192 * 1024 * 1024;

/// The memory for one seen user id, in bytes: the id and its node in a tree.
const SEEN_ID_BYTES: usize = 64;

thread_local! {
    /// The memory reserved for lists, in bytes: ids already seen, and text that is not sent yet.
    static RESERVED: Cell<usize> = const { Cell::new(0) };
}

/// The timeout for a client to take one part of a stream.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The delay between the last line of a failed stream and breaking the connection, so that the line can be sent.
const LAST_LINE_DELAY: Duration = Duration::from_millis(100);

/// A list whose first part has been read, so that an early failure gets its own HTTP status in either format.
pub(crate) struct List {
    listing: Listing,
    part: Vec<User>,
    /// The memory for the ids already seen.
    reservation: Reservation,
}

/// A complete list as the text of one JSON object.
pub(crate) struct JsonList {
    pub(crate) text: Vec<Bytes>,
    pub(crate) users: usize,
    pub(crate) reservation: Reservation,
}

/// A share of the [`LIST_BUDGET`], in bytes. Dropping it returns the share.
pub(crate) struct Reservation(usize);

impl Reservation {
    /// Reserves more bytes. Fails if they exceed the budget, so that slow clients cannot exhaust the memory.
    fn try_grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let reserved = RESERVED.get() + bytes;
        if self.0 + bytes > LIST_BUDGET {
            return Err(Problem::of_list(Error::TooManyUsers(TooMany::Bytes(LIST_BUDGET))));
        }
        if reserved > LIST_BUDGET {
            return Err(Problem::busy());
        }
        RESERVED.set(reserved);
        self.0 += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        RESERVED.set(RESERVED.get().saturating_sub(self.0));
    }
}

impl List {
    /// Starts a list and reads its first part.
    pub(crate) async fn start(query: ListQuery) -> Result<Self, Problem> {
        let mut list = Self { listing: Listing::new(query), part: Vec::new(), reservation: Reservation(0) };
        list.read_part().await?;
        Ok(list)
    }

    /// Reads the next part; false if there is none. Each part is an action with its own deadline.
    async fn read_part(&mut self) -> Result<bool, Problem> {
        let Some(query) = self.listing.query() else { return Ok(false) };
        let list = run(session().list_users(query)).await;
        let list = list.map_err(|error| Problem::of_list(self.listing.error_of_part(error)))?;
        let part = self.listing.take(list.users, list.next_page_token, |user| &user.id);
        self.part = part.map_err(Problem::of_list)?;
        self.reservation.try_grow(self.part.len() * SEEN_ID_BYTES)?;
        Ok(true)
    }

    /// Reads the remaining parts and writes the list as one JSON object.
    pub(crate) async fn into_json(mut self) -> Result<JsonList, Problem> {
        let text = vec![Bytes::from_static(b"{\"users\":[")];
        let mut list = JsonList { text, users: 0, reservation: Reservation(0) };
        loop {
            let mut text = Vec::new();
            for user in self.part.drain(..) {
                if list.users > 0 {
                    text.push(b',');
                }
                write(&mut text, &user);
                list.users += 1;
            }
            list.reservation.try_grow(text.len())?;
            // Without its spare capacity.
            list.text.push(text.into_boxed_slice().into());
            if list.users > MAX_USERS as usize {
                return Err(Problem::of_list(Error::TooManyUsers(TooMany::Users(MAX_USERS))));
            }
            if !self.read_part().await? {
                break;
            }
        }
        let mut end = b"],\"next_page_token\":".to_vec();
        write(&mut end, &self.listing.next_page_token());
        end.extend_from_slice(b"}\n");
        list.text.push(end.into());
        Ok(list)
    }

    /// Turns the list into a response body that reads the remaining parts while it is sent. The body ends cleanly only if the
    /// list is complete. On any other end of the spawned task the connection breaks.
    pub(crate) fn into_stream(mut self, mut log: Log) -> BoxBody {
        let (sender, receiver) = mpsc::channel::<Chunk>(0);
        spin_sdk::wit_bindgen::spawn(async move {
            let mut client = Client(sender);
            match self.send(&mut client, &mut log).await {
                Ok(()) => log.entry.outcome = "listed",
                Err(None) => log.entry.outcome = "abandoned",
                Err(Some(problem)) => {
                    log.problem(&problem);
                    let failure = LastLine::Failure { error: Box::new(problem) };
                    if client.send(Chunk::Lines(lines([failure]))).await.is_ok() {
                        sleep(LAST_LINE_DELAY).await;
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

    /// Sends the whole list. Fails with the problem, or with `None` if the client is gone.
    async fn send(&mut self, client: &mut Client, log: &mut Log) -> Result<(), Option<Problem>> {
        let users = log.entry.users.insert(0);
        let mut has_more = true;
        while has_more {
            *users += self.part.len();
            client.send(Chunk::Lines(lines(self.part.drain(..)))).await?;
            has_more = self.read_part().await.map_err(Some)?;
        }
        // This line marks a complete list. An instance that dies cannot write it, however the connection ends.
        let end = LastLine::End { next_page_token: self.listing.next_page_token().map(Into::into) };
        client.send(Chunk::Lines(lines([end]))).await?;
        client.send(Chunk::End).await
    }
}

/// A message from the task that reads the list to the response body.
enum Chunk {
    Lines(Bytes),
    /// The list is complete.
    End,
}

/// The client of a stream.
struct Client(mpsc::Sender<Chunk>);

impl Client {
    /// Sends a chunk. Fails with `None` if the client is gone or does not take it in time.
    async fn send(&mut self, chunk: Chunk) -> Result<(), Option<Problem>> {
        match within(CLIENT_TIMEOUT, self.0.send(chunk)).await {
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

/// Writes a value as JSON. This cannot fail: the values are strings, numbers and booleans, and the writer is memory.
fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok());
}
