//! Lists, read in parts and written as they are read: whole, or as a stream of one user a line. Either way an account of any
//! size takes little memory, though sixteen callers may ask for it at once.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use http_body::Frame;
use http_body_util::StreamBody;
use onepassword_users_core::{ListQuery, Listing, MAX_USERS, User};
use serde::Serialize;
use spin_sdk::http::{BoxBody, box_body};

use crate::driver::{run, session, sleep};
use crate::json::{self, LastLine};
use crate::problem::Problem;
use crate::service::Log;

/// The most text of a whole list, in bytes: two to three times what 250,000 users have.
const MAX_TEXT: usize = 192 * 1024 * 1024;

/// How long the last line of a broken stream is given to leave before the connection is broken.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A list of which the first part was read, so that what fails at once has a status of its own, whatever form is wanted.
pub(crate) struct List {
    listing: Listing,
    part: Vec<User>,
}

/// A whole list as text.
pub(crate) struct Whole {
    pub(crate) text: Vec<Bytes>,
    pub(crate) users: usize,
}

impl List {
    pub(crate) async fn begin(query: ListQuery) -> Result<Self, Problem> {
        let mut list = Self { listing: Listing::new(query), part: Vec::new() };
        list.read().await?;
        Ok(list)
    }

    /// Reads the next part; false if there is none. Each is an action of its own, with a deadline of its own.
    async fn read(&mut self) -> Result<bool, Problem> {
        let Some(query) = self.listing.query() else { return Ok(false) };
        let list = run(session().list_users(query)).await?;
        self.part = self.listing.take(list.users, list.next_page_token, |user| &user.id)?;
        Ok(true)
    }

    /// The users of the part that was read last.
    fn take(&mut self) -> impl Iterator<Item = json::User> {
        self.part.drain(..).map(json::User::from)
    }

    /// Reads the rest, and writes the whole as one object.
    pub(crate) async fn whole(mut self) -> Result<Whole, Problem> {
        let mut whole = Whole { text: vec![Bytes::from_static(b"{\"users\":[")], users: 0 };
        let mut length = 0;
        loop {
            let mut text = Vec::new();
            for user in self.take() {
                if whole.users > 0 {
                    text.push(b',');
                }
                write(&mut text, &user);
                whole.users += 1;
            }
            length += text.len();
            whole.text.push(text.into());
            if whole.users > MAX_USERS as usize || length > MAX_TEXT {
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

    /// A body that the rest is read into while it is sent.
    pub(crate) fn stream(mut self, mut log: Log) -> BoxBody {
        let (mut sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, anyhow::Error>>(0);
        spin_sdk::wit_bindgen::spawn(async move {
            let mut users = 0;
            let outcome = loop {
                users += self.part.len();
                let lines = lines(self.take());
                if sender.send(Ok(lines)).await.is_err() {
                    break None;
                }
                match self.read().await {
                    Ok(true) => {}
                    Ok(false) => break Some(Ok(())),
                    Err(problem) => break Some(Err(problem)),
                }
            };
            log.entry.users = Some(users);
            match outcome {
                // Nobody listens any more.
                None => log.entry.outcome = "abandoned",
                Some(Ok(())) => {
                    log.entry.outcome = "listed";
                    if let Some(token) = self.listing.next_page_token() {
                        let more = LastLine::More { next_page_token: token.into() };
                        let _ = sender.send(Ok(lines([more]))).await;
                    }
                }
                Some(Err(problem)) => {
                    log.problem(&problem);
                    let failure = LastLine::Failure { error: Box::new(problem) };
                    let _ = sender.send(Ok(lines([failure]))).await;
                    sleep(LAST_WORDS).await;
                    let _ = sender.send(Err(anyhow::anyhow!("the list is incomplete"))).await;
                }
            }
            log.write();
        });
        box_body(StreamBody::new(receiver))
    }
}

fn lines(values: impl IntoIterator<Item = impl Serialize>) -> Frame<Bytes> {
    let mut text = Vec::new();
    for value in values {
        write(&mut text, &value);
        text.push(b'\n');
    }
    Frame::data(text.into())
}

/// Writes a value into memory, of which none can fail: they are texts, numbers and truth values.
fn write(text: &mut Vec<u8>, value: &impl Serialize) {
    let written = serde_json::to_writer(text, value);
    debug_assert!(written.is_ok());
}
