//! A list as a stream, one user a line: page by page, so that an account of any size fits into little memory.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use futures::channel::mpsc;
use http_body::Frame;
use http_body_util::StreamBody;
use onepassword_users_core::{ListQuery, Listing, User};
use serde::Serialize;
use spin_sdk::http::{BoxBody, box_body};

use crate::driver::{run, session, sleep};
use crate::json::{self, LastLine};
use crate::problem::Problem;
use crate::service::Log;

/// How long the last line of a broken stream is given to leave before the connection is broken.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A list of which the first part was read, so that what fails at once still has a status of its own.
pub(crate) struct Stream {
    listing: Listing,
    part: Vec<User>,
}

impl Stream {
    pub(crate) async fn begin(query: ListQuery) -> Result<Self, Problem> {
        let mut stream = Self { listing: Listing::new(query), part: Vec::new() };
        stream.read().await?;
        Ok(stream)
    }

    /// Reads the next part; false if there is none.
    async fn read(&mut self) -> Result<bool, Problem> {
        let Some(query) = self.listing.query() else { return Ok(false) };
        let list = run(session().list_users(query)).await?;
        self.part = self.listing.take(list.users, list.next_page_token, |user| &user.id)?;
        Ok(true)
    }

    /// The body that the rest is read into while it is sent.
    pub(crate) fn into_body(mut self, mut log: Log) -> BoxBody {
        let (mut sender, receiver) = mpsc::channel::<Result<Frame<Bytes>, anyhow::Error>>(0);
        spin_sdk::wit_bindgen::spawn(async move {
            let mut users = 0;
            let outcome = loop {
                users += self.part.len();
                let lines = lines(self.part.drain(..).map(json::User::from));
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
        // Texts alone: there is nothing in it that JSON could not say.
        if serde_json::to_writer(&mut text, &value).is_ok() {
            text.push(b'\n');
        }
    }
    Frame::data(text.into())
}
