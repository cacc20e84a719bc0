//! Plays the steps of a story.

use super::Trouble;
use super::ground::{Ground, WHOLE_WITHIN, binary};
use crate::story::{Change, Cut, Moment, Permissions, Sel, Step, Story, Version};
use futures::future::try_join_all;
use gatewatch::lab::{Fault, LabServer, Path, Side};
use gatewatch::model::time::Mono;
use std::time::Duration;
use tokio::time::sleep;

/// For a server to store what it must and end.
const STOP_WITHIN: Duration = Duration::from_secs(40);
/// How long a connection that is reset once is refused; shorter than the second after which servers redial.
const RESET_FOR: Duration = Duration::from_millis(150);
/// Between two servers that are restarted with another configuration: routes and gateways are made anew.
const BETWEEN_RESTARTS: Duration = Duration::from_millis(1_500);

/// A step that takes no longer than so many milliseconds moves none of those after it.
const IN_TIME: u64 = 500;

/// A step, when it is due and which of the story's steps it is a part of.
struct Due {
    at: u64,
    of: usize,
    step: Step,
}

impl Ground {
    /// Plays all steps; returns when each was begun and done. What takes long moves those after it.
    pub(super) async fn play(&mut self, story: &Story, start: Mono) -> Result<Vec<Moment>, Trouble> {
        let mut moments: Vec<Option<Moment>> = vec![None; story.steps.len()];
        let (mut late, mut thaw_at) = (0, None);
        for due in parts(story) {
            let at = due.at + late;
            self.wait(start, at, &mut thaw_at).await;
            let began = self.elapsed(start);
            if let Step::Stall(long) = due.step {
                self.watcher.freeze()?;
                thaw_at = Some(began + long);
            } else {
                self.step(&due.step, story).await?;
            }
            let done = self.elapsed(start);
            late += done.saturating_sub(began + IN_TIME);
            let felt = if is_felt_at_once(&due.step) { began } else { done };
            moments[due.of].get_or_insert(Moment { began, done: felt });
        }
        if let Some(at) = thaw_at {
            self.wait(start, at, &mut Some(at)).await;
        }
        Ok(moments.into_iter().flatten().collect())
    }

    /// Waits for a moment of the story; a frozen gatewatch is thawed on the way when its time has come.
    async fn wait(&self, start: Mono, until: u64, thaw_at: &mut Option<u64>) {
        if let Some(at) = thaw_at.filter(|at| *at <= until) {
            self.sleep_until(start, at).await;
            self.watcher.thaw();
            *thaw_at = None;
        }
        self.sleep_until(start, until).await;
    }

    async fn sleep_until(&self, start: Mono, at: u64) {
        sleep(Duration::from_millis(at.saturating_sub(self.elapsed(start)))).await;
    }

    /// Milliseconds since then.
    pub(super) fn elapsed(&self, start: Mono) -> u64 {
        u64::try_from(self.clock.mono().since(start).as_millis()).unwrap_or(u64::MAX)
    }

    async fn step(&mut self, step: &Step, story: &Story) -> Result<(), Trouble> {
        match step {
            Step::Heal(None) => {
                self.lab.faults().clear_all();
                self.wan(story)
            }
            Step::Cut(..)
            | Step::CutDials(..)
            | Step::Heal(Some(_))
            | Step::Slow(..)
            | Step::Lossy(..)
            | Step::Wan(_)
            | Step::Flap(_)
            | Step::Overrun(..) => self.network(step),
            Step::Reset(between) => {
                self.network(&Step::Cut(Cut::Refuse, between.clone()))?;
                sleep(RESET_FOR).await;
                self.network(&Step::Heal(Some(between.clone())))
            }
            Step::Kill(_)
            | Step::Stop(_)
            | Step::Freeze(_)
            | Step::Thaw(_)
            | Step::Start(_)
            | Step::LameDuck(_)
            | Step::ScaleUp(_)
            | Step::Join(_) => self.servers(step).await,
            Step::RollingRestart(who) => self.roll(who, None).await,
            Step::Upgrade(who, to) => self.roll(who, Some(*to)).await,
            Step::Retire(cluster) => self.retire(cluster).await,
            Step::Config(who, change) => self.reconfigure(who, change).await,
            Step::VantageCut(..) | Step::VantageBack(_) | Step::VantageReset(_) => self.clients(step).await,
            Step::Stall(_) => Ok(()),
            Step::GatewatchStop => {
                self.watcher.stop().await?;
                // Later, the far side of a cut may be the only one that could forget.
                let afresh = story.steps.iter().any(|(_, step)| *step == Step::GatewatchStartAfresh);
                if afresh { self.forget().await } else { Ok(()) }
            }
            Step::GatewatchStart | Step::GatewatchStartAfresh => self.watcher.start().await,
            Step::Permissions(permissions) => {
                self.watcher.stop().await?;
                self.watcher.narrow(*permissions == Permissions::Narrow);
                self.watcher.start().await
            }
        }
    }

    async fn servers(&self, step: &Step) -> Result<(), Trouble> {
        let each = |who: &Sel| self.selected(who);
        match step {
            Step::Kill(who) => try_join_all(each(who).into_iter().map(LabServer::kill)).await.map(drop)?,
            Step::Stop(who) => {
                let stops = each(who).into_iter().map(|server| server.stop(STOP_WITHIN));
                try_join_all(stops).await.map(drop)?;
            }
            Step::Freeze(who) => {
                try_join_all(each(who).into_iter().map(LabServer::freeze)).await.map(drop)?;
            }
            Step::Thaw(who) => each(who).into_iter().try_for_each(LabServer::thaw)?,
            Step::Start(who) => try_join_all(each(who).into_iter().map(LabServer::start)).await.map(drop)?,
            Step::LameDuck(who) => {
                let drains = each(who).into_iter().map(|server| server.drain(STOP_WITHIN));
                try_join_all(drains).await.map(drop)?;
            }
            Step::ScaleUp(cluster) => {
                let spares = self.lab.spares(cluster)?;
                spares.servers().first().ok_or("no spare server")?.start().await?;
            }
            Step::Join(cluster) => self.lab.spares(cluster)?.start().await?,
            other => return Err(format!("{other} does nothing to servers").into()),
        }
        Ok(())
    }

    /// One server after the other: drained, started, in its place again.
    async fn roll(&self, who: &Sel, to: Option<Version>) -> Result<(), Trouble> {
        let program = match to {
            Some(version) => Some(binary(version).await?),
            None => None,
        };
        for server in self.selected(who) {
            server.drain(STOP_WITHIN).await?;
            if let Some(program) = &program {
                server.change_options(|options| options.binary = Some(program.clone()));
            }
            server.start().await?;
            self.lab.ready(WHOLE_WITHIN).await?;
        }
        Ok(())
    }

    async fn reconfigure(&self, who: &Sel, change: &Change) -> Result<(), Trouble> {
        self.alter(who, change);
        // One that does not run starts into it later.
        for server in self.selected(who).into_iter().filter(|server| server.pid().is_some()) {
            server.drain(STOP_WITHIN).await?;
            server.start().await?;
            sleep(BETWEEN_RESTARTS).await;
        }
        Ok(())
    }

    async fn retire(&self, cluster: &str) -> Result<(), Trouble> {
        self.lab.cluster(cluster)?.retire(STOP_WITHIN).await?;
        for other in self.lab.clusters() {
            for server in self.lab.cluster(other.as_str())?.servers() {
                server.drain(STOP_WITHIN).await?;
                server.start().await?;
                self.lab.ready(WHOLE_WITHIN).await?;
            }
        }
        Ok(())
    }

    /// What happens to our own connections.
    async fn clients(&self, step: &Step) -> Result<(), Trouble> {
        let (at, fault) = match step {
            Step::VantageCut(at, Cut::Drop) => (at, Fault::Blackhole),
            Step::VantageCut(at, Cut::Refuse) | Step::VantageReset(at) => (at, Fault::Reset),
            Step::VantageBack(at) => (at, Fault::Pass),
            other => return Err(format!("{other} does nothing to connections of ours").into()),
        };
        let meant = |name: &str| at == "*" || at == name;
        let clusters = self.lab.clusters().into_iter().filter(|name| meant(name.as_str()));
        let paths: Vec<Path> =
            clusters.map(|to| Path { from: Side::clients(), to: Side::cluster(to) }).collect();
        for path in &paths {
            match fault {
                Fault::Pass => self.lab.faults().clear(path),
                fault => self.lab.faults().set(path.clone(), fault)?,
            }
        }
        if matches!(step, Step::VantageReset(_)) {
            sleep(RESET_FOR).await;
            paths.iter().for_each(|path| self.lab.faults().clear(path));
        }
        Ok(())
    }
}

/// All steps, with what is repeated written out.
fn parts(story: &Story) -> Vec<Due> {
    let steps = story.steps.iter().enumerate();
    let mut parts: Vec<Due> = steps
        .flat_map(|(of, (at, step))| {
            step.unfolded().into_iter().map(move |(after, step)| Due { at: at + after, of, step })
        })
        .collect();
    parts.sort_by_key(|due| due.at);
    parts
}

/// What is felt before the step is over: then the time counts from its beginning.
fn is_felt_at_once(step: &Step) -> bool {
    matches!(step, Step::Kill(_) | Step::Stop(_) | Step::Freeze(_) | Step::Reset(_) | Step::VantageReset(_))
}
