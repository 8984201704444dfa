//! Following one object by list and watch until it is as it should be, or time is up.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::condition::State;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::client::{self, EventKind, Request};
use crate::object::duration::GoDuration;
use crate::object::{Status, Value, meta};
use crate::resource::{Query, Target};

/// "For ever": a week, as kubectl has it.
const WEEK: Duration = Duration::from_secs(168 * 60 * 60);
/// Pause before a server is asked again that did not answer, or whose watch ended.
const PAUSE: Duration = Duration::from_secs(1);
const JSON: &str = "application/json";

/// How long to wait; one end for all objects of a command.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Look once.
    Once,
    /// Wait until then.
    Until(Instant),
}

impl Limit {
    /// From `--timeout` of `wait`, counted from now: 0 looks once, less than 0 waits for a week.
    pub fn of(timeout: GoDuration) -> Self {
        match timeout.positive() {
            Some(time) => Self::Until(Instant::now() + time),
            None if timeout.0 == 0 => Self::Once,
            None => Self::forever(None),
        }
    }

    /// From a time that may be missing, which means as long as it takes.
    pub fn forever(timeout: Option<Duration>) -> Self {
        Self::Until(Instant::now() + timeout.unwrap_or(WEEK))
    }

    /// When time is up; now for a single look.
    pub fn deadline(self) -> Instant {
        match self {
            Self::Once => Instant::now(),
            Self::Until(end) => end,
        }
    }
}

/// What is seen of an object.
#[derive(Clone, Copy)]
pub enum Sight<'a> {
    /// It was not there when the wait began.
    Missing,
    /// It is there.
    There(&'a Value),
    /// It has gone since.
    Gone,
}

fn late(target: &Target) -> Error {
    Error::new(format!("timed out waiting for the condition on {}/{}", target.kind.plural, target.name))
}

fn not_met(target: &Target) -> Error {
    Error::new(format!("condition not met for {}/{}", target.kind.plural, target.name))
}

fn named(target: &Target) -> Result<()> {
    if target.name.is_empty() {
        return Err(Error::new("resource name must be provided"));
    }
    Ok(())
}

/// Waits until an object is gone, or another of its name (with another uid, where `uid` is known) has taken its place;
/// gives its last state that was seen.
///
/// # Errors
/// Time is up, or the server does not let the object be read.
pub async fn gone(cx: &Context, target: &Target, uid: &str, limit: Limit) -> Result<Value> {
    named(target)?;
    if matches!(limit, Limit::Until(end) if end <= Instant::now()) {
        // The words of client-go for a request that comes after the deadline.
        return Err(Error::new("client rate limiter Wait returned an error: context deadline exceeded"));
    }
    let first = match cx.json(target.about(Request::get(target.path("")))).await {
        Ok(object) => object,
        Err(error) if error.is_not_found() => return Ok(target.object.clone()),
        Err(error) => return Err(error),
    };
    let other = |object: &Value| !uid.is_empty() && meta::uid(object) != uid;
    if other(&first) {
        return Ok(first);
    }
    let Limit::Until(end) = limit else { return Err(not_met(target)) };
    let see = |sight: Sight<'_>| {
        Ok(match sight {
            Sight::Missing | Sight::Gone => true,
            Sight::There(object) => other(object),
        })
    };
    match tokio::time::timeout_at(end, follow(cx, target, see)).await {
        Ok(done) => done.map(|()| first),
        Err(_) => Err(late(target)),
    }
}

/// Waits until an object is in a state; gives the object.
///
/// # Errors
/// Time is up, the object is not there, or it does not fit the expression of the state.
pub async fn in_state(cx: &Context, target: &Target, state: &State, limit: Limit) -> Result<Value> {
    named(target)?;
    let Limit::Until(end) = limit else {
        let object = cx.json(target.about(Request::get(target.path("")))).await?;
        return if state.holds(&object)? { Ok(object) } else { Err(not_met(target)) };
    };
    let mut last = Value::Null;
    let see = |sight: Sight<'_>| match sight {
        Sight::Missing => {
            let kind = &target.kind;
            Err(Error::status(Status::not_found(&kind.group, &kind.plural, &target.name)))
        }
        Sight::Gone => Ok(false),
        Sight::There(object) => {
            let holds = state.holds(object)?;
            if holds {
                last = object.clone();
            }
            Ok(holds)
        }
    };
    match tokio::time::timeout_at(end, follow(cx, target, see)).await {
        Ok(done) => done.map(|()| last),
        Err(_) => Err(late(target)),
    }
}

/// Shows `see` every state of an object until it is content. A server that cannot be reached is asked again.
pub async fn follow(cx: &Context, target: &Target, mut see: impl FnMut(Sight<'_>) -> Result<bool>) -> Result<()> {
    let client = cx.client()?;
    let query = Query::of_target(target);
    let mut absent = Sight::Missing;
    loop {
        let mut list = match query.list(client, 0, JSON, false).await {
            Ok(list) => list,
            Err(error) if is_refused(&error) => return poll(cx, target, see).await,
            Err(_) => {
                sleep(PAUSE).await;
                continue;
            }
        };
        let version = meta::resource_version(&list).to_owned();
        let found = targets::of_list(&query, &mut list);
        if see(found.first().map_or(absent, |target| Sight::There(&target.object)))? {
            return Ok(());
        }
        absent = Sight::Gone;
        match client.watch(query.watch(&version)).await {
            Ok(mut watch) => {
                while let Ok(Some(event)) = watch.next().await {
                    let done = match event.kind {
                        EventKind::Bookmark => false,
                        EventKind::Deleted => see(Sight::Gone)?,
                        EventKind::Added | EventKind::Modified => see(Sight::There(&event.object))?,
                    };
                    if done {
                        return Ok(());
                    }
                }
            }
            Err(error) if is_refused(&error) => return poll(cx, target, see).await,
            Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Whether the server does not let objects of the kind be listed or watched.
fn is_refused(error: &client::Error) -> bool {
    error.is_code(403) || error.is_code(405)
}

/// The same by reading the object again and again, for those who may not do more.
async fn poll(cx: &Context, target: &Target, mut see: impl FnMut(Sight<'_>) -> Result<bool>) -> Result<()> {
    let mut absent = Sight::Missing;
    loop {
        let done = match cx.json(target.about(Request::get(target.path("")))).await {
            Ok(object) => see(Sight::There(&object))?,
            Err(error) if error.is_not_found() => see(absent)?,
            Err(error) if error.as_status().is_some() => return Err(error),
            Err(_) => false,
        };
        if done {
            return Ok(());
        }
        absent = Sight::Gone;
        sleep(PAUSE).await;
    }
}
