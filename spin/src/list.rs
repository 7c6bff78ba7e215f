//! Lists of users, read in parts: as one JSON object, or as a stream with one user per line (NDJSON). A memory budget bounds
//! all lists of an instance together, since its other requests need memory as well.

use std::cell::Cell;
use std::time::Duration;

use onepassword_users_core::{Error, ListQuery, Listing, TooMany, User};
use serde::Serialize;
use spin_sdk::wasip3::http::types::Response;
use spin_sdk::wit_bindgen::spawn;

use crate::access::Role;
use crate::body::{self, Body, Gone};
use crate::clock::{now, sleep};
use crate::driver::{run, session};
use crate::json::{LastLine, MAX_JSON_USERS};
use crate::log_line::Log;
use crate::problem::Problem;
use crate::turns::Turn;

/// The memory budget for the lists of an instance, in bytes. A JSON list of 50,000 users takes some 20 MB, a stream of
/// 2,000,000 users some 130 MB.
const LIST_BUDGET: usize = 192 * 1024 * 1024;

/// The part of the budget that the lists of readers may take. The rest is for responders.
const READER_BUDGET: usize = LIST_BUDGET / 4 * 3;

/// The memory for one seen user id, in bytes: a short id and its node in a tree.
const SEEN_ID_BYTES: usize = 64;

/// The longest id without an allocation of its own, in bytes.
const SHORT_ID_BYTES: usize = 31;

/// The memory of an allocation beside its content, in bytes.
const ALLOCATION_BYTES: usize = 16;

/// The longest time that a whole list may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(3600);

/// The delay between the last line of a failed stream and breaking the connection, so that the line can be sent.
const LAST_LINE_DELAY: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

thread_local! {
    /// The memory reserved for lists, in bytes: ids already seen, and text that is not sent yet.
    static RESERVED: Cell<usize> = const { Cell::new(0) };
}

/// A list whose first part has been read, so that an early failure gets its own HTTP status in either format.
pub(crate) struct List {
    listing: Listing,
    part: Vec<User>,
    role: Role,
    started: Duration,
    /// The memory for the ids already seen.
    reservation: Reservation,
}

/// A complete list as the text of one JSON object.
pub(crate) struct JsonList {
    parts: Vec<Box<[u8]>>,
    users: usize,
    started: Duration,
    reservation: Reservation,
}

/// A share of the [`LIST_BUDGET`], in bytes. Dropping it returns the share.
struct Reservation {
    role: Role,
    bytes: usize,
}

impl Reservation {
    fn new(role: Role) -> Self {
        Self { role, bytes: 0 }
    }

    /// Reserves more bytes. Fails if they exceed the budget, so that slow clients cannot exhaust the memory.
    fn try_grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let budget = if self.role == Role::Reader { READER_BUDGET } else { LIST_BUDGET };
        let reserved = RESERVED.get() + bytes;
        if self.bytes + bytes > budget {
            return Err(Problem::of_list(Error::TooManyUsers(TooMany::Bytes(budget))));
        }
        if reserved > budget {
            return Err(Problem::busy());
        }
        RESERVED.set(reserved);
        self.bytes += bytes;
        Ok(())
    }

    /// Returns some of the bytes.
    fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        RESERVED.set(RESERVED.get().saturating_sub(bytes));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// The memory for an id that was seen.
fn seen_bytes(id: &str) -> usize {
    let allocated = if id.len() > SHORT_ID_BYTES { id.len() + ALLOCATION_BYTES } else { 0 };
    SEEN_ID_BYTES + allocated
}

impl List {
    /// Starts a list and reads its first part.
    pub(crate) async fn start(query: ListQuery, role: Role) -> Result<Self, Problem> {
        let listing = Listing::new(query);
        let mut list = Self { listing, part: Vec::new(), role, started: now(), reservation: Reservation::new(role) };
        list.read_part().await?;
        Ok(list)
    }

    /// Reads the next part; false if there is none. Each part is an action with its own deadline.
    async fn read_part(&mut self) -> Result<bool, Problem> {
        let Some(query) = self.listing.query() else { return Ok(false) };
        if now().saturating_sub(self.started) > LIST_TIMEOUT {
            return Err(Problem::list_timeout());
        }
        let turn = Turn::wait(self.role).await?;
        let list = run(session().list_users(query), |_| {}).await;
        drop(turn);
        let list = list.map_err(|error| Problem::of_list(self.listing.error_of_part(error)))?;
        let part = self.listing.take(list.users, list.next_page_token, |user| &user.id);
        self.part = part.map_err(Problem::of_list)?;
        self.reservation.try_grow(self.part.iter().map(|user| seen_bytes(&user.id)).sum())?;
        Ok(true)
    }

    /// Reads the remaining parts and writes the list as one JSON object.
    pub(crate) async fn into_json(mut self) -> Result<JsonList, Problem> {
        let parts = vec![Box::from(*b"{\"users\":[")];
        let mut list = JsonList { parts, users: 0, started: self.started, reservation: Reservation::new(self.role) };
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
            list.parts.push(text.into_boxed_slice());
            if list.users > MAX_JSON_USERS as usize {
                return Err(Problem::of_list(Error::TooManyUsers(TooMany::Users(MAX_JSON_USERS))));
            }
            if !self.read_part().await? {
                break;
            }
        }
        let mut end = b"],\"next_page_token\":".to_vec();
        write(&mut end, &self.listing.next_page_token());
        end.extend_from_slice(b"}\n");
        list.parts.push(end.into());
        Ok(list)
    }

    /// Turns the list into a response whose body reads the remaining parts while it is sent. The body ends cleanly only if the
    /// list is complete. On any other end of the spawned task the connection breaks.
    pub(crate) fn into_stream(mut self, mut log: Log) -> Response {
        let (response, mut body) = body::start(200, NDJSON, Vec::new());
        spawn(async move {
            match self.send(&mut body, &mut log).await {
                Ok(()) => {
                    log.entry.outcome = "listed";
                    log.write(200);
                    body.end().await;
                }
                Err(None) => {
                    log.entry.outcome = "abandoned";
                    log.write(200);
                }
                Err(Some(problem)) => {
                    log.problem(&problem);
                    log.write(200);
                    let failure = LastLine::Failure { error: Box::new(problem) };
                    if body.write(&lines([failure])).await.is_ok() {
                        sleep(LAST_LINE_DELAY).await;
                    }
                }
            }
        });
        response
    }

    /// Sends the whole list. Fails with the problem, or with `None` if the client is gone.
    async fn send(&mut self, body: &mut Body, log: &mut Log) -> Result<(), Option<Problem>> {
        let users = log.entry.users.insert(0);
        let mut has_more = true;
        while has_more {
            *users += self.part.len();
            let text = lines(self.part.drain(..));
            self.reservation.try_grow(text.len()).map_err(Some)?;
            body.write(&text).await.map_err(|Gone| None)?;
            self.reservation.shrink(text.len());
            drop(text);
            has_more = self.read_part().await.map_err(Some)?;
        }
        // This line marks a complete list. An instance that dies cannot write it, however the connection ends.
        let end = LastLine::End { next_page_token: self.listing.next_page_token().map(Into::into) };
        body.write(&lines([end])).await.map_err(|Gone| None)
    }
}

impl JsonList {
    /// Turns the list into a response. Its parts are released as they are sent.
    pub(crate) fn into_response(mut self, mut log: Log) -> Response {
        log.entry.users = Some(self.users);
        let length: usize = self.parts.iter().map(|part| part.len()).sum();
        let (response, mut body) = body::start(200, JSON, vec![("content-length", length.to_string())]);
        spawn(async move {
            let last = self.parts.pop().unwrap_or_default();
            let is_sent = self.send(&mut body).await.is_ok();
            log.entry.outcome = if is_sent { "listed" } else { "abandoned" };
            log.write(200);
            if is_sent && body.write(&last).await.is_ok() {
                body.end().await;
            }
        });
        response
    }

    async fn send(&mut self, body: &mut Body) -> Result<(), Gone> {
        for part in std::mem::take(&mut self.parts) {
            if now().saturating_sub(self.started) > LIST_TIMEOUT {
                return Err(Gone);
            }
            body.write(&part).await?;
            self.reservation.shrink(part.len());
        }
        Ok(())
    }
}

fn lines(values: impl IntoIterator<Item = impl Serialize>) -> Vec<u8> {
    let mut text = Vec::new();
    for value in values {
        write(&mut text, &value);
        text.push(b'\n');
    }
    text
}

/// Writes a value as JSON. This cannot fail: the values are strings, numbers and booleans, and the writer is memory.
fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok());
}
