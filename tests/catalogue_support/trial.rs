//! One playing of one entry, from a whole supercluster to the verdict.

use super::Trouble;
use super::entries::Entry;
use super::ground::{Ground, Shape};
use crate::story::{Said, Story, Verdict, Version, judge};
use gatewatch::model::time::Now;
use std::time::Duration;
use tokio::time::sleep;

/// After the end, everything must be resolved within this long.
const RESOLVED_WITHIN: Duration = Duration::from_secs(60);
/// And then stay quiet for so many milliseconds: longer than an incident takes to open.
const QUIET: u64 = 3_500;
const POLL: Duration = Duration::from_millis(100);

/// What came of one playing.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    pub(crate) entry: String,
    pub(crate) verdict: Verdict,
    pub(crate) said: Vec<Said>,
    /// The subjects of the events behind it.
    pub(crate) events: Vec<String>,
    /// How long it all took.
    pub(crate) took: Duration,
}

/// Where stories are played one after the other; keeps a supercluster as long as the next story can use it.
#[derive(Default)]
pub(crate) struct Lane {
    ground: Option<Ground>,
}

impl Lane {
    /// What the last story was played on, unless it was spoilt.
    pub(crate) fn ground(&self) -> Option<&Ground> {
        self.ground.as_ref()
    }

    /// Plays an entry once.
    pub(crate) async fn play(&mut self, entry: &Entry, version: Option<Version>) -> Result<Trial, Trouble> {
        let shape = Shape::of(entry, version);
        let mut ground = self.prepared(entry, shape).await?;
        ground.ears.clear();
        ground.wan(&entry.story)?;
        let now = ground.clock.now();
        let start = now.mono;
        let moments = ground.play(&entry.story, start).await?;
        let said = ground.listen(&entry.story, now).await;
        let events = ground.ears.events(start);
        let took = ground.clock.mono().since(start);
        if !entry.is_spoiling() {
            self.ground = Some(ground);
        }
        let verdict = judge(&entry.story, &moments, &said);
        Ok(Trial { entry: entry.name.clone(), verdict, said, events, took })
    }

    async fn prepared(&mut self, entry: &Entry, shape: Shape) -> Result<Ground, Trouble> {
        let usable = self.ground.take().filter(|ground| ground.shape == shape && !entry.is_spoiling());
        if let Some(mut ground) = usable
            && ground.restore().await.is_ok()
        {
            return Ok(ground);
        }
        Ground::start(entry, shape).await
    }
}

impl Ground {
    /// Listens to the end of the story, until all is resolved, and then for as long as a new incident would take to open.
    async fn listen(&self, story: &Story, start: Now) -> Vec<Said> {
        let limit = story.end + u64::try_from(RESOLVED_WITHIN.as_millis()).unwrap_or(u64::MAX);
        loop {
            let (said, now) = (self.ears.said(start), self.elapsed(start.mono));
            let quiet = said.last().is_none_or(|last| now >= last.at + QUIET);
            if now > limit || (now >= story.end && quiet && !is_open(story, &said)) {
                return said;
            }
            sleep(POLL).await;
        }
    }
}

/// Whether an incident waits for its resolution.
fn is_open(story: &Story, said: &[Said]) -> bool {
    let last = |incident: &str| said.iter().rfind(|said| said.incident == incident);
    let open = |said: &Said| {
        last(&said.incident).is_some_and(|last| last.stage != "resolved" && !story.may_stay(last))
    };
    said.iter().any(open)
}
