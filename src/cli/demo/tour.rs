//! The tour: three ways to lose a gateway, each broken, found, told, healed.

use super::Teller;
use super::claims;
use super::command::{self, Command};
use super::hear::{Heard, word_of};
use super::stage::{Stage, millis};
use super::step::{ActOutcome, EventWord, Flow, Step};
use crate::cli::exit::Failure;
use crate::lab::{Fault, Path, Side};
use crate::model::ids::ServerLink;
use crate::model::incident::{IncidentKind, Stage as IncidentStage};
use crate::model::time::Mono;
use crate::nats::history::IncidentFilter;
use crate::wire::advisory::Alert;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How long an alert may take; it is normally there after 4 s.
const ALERT_WITHIN: Duration = Duration::from_secs(20);
/// How long the resolution may take after the heal.
const RESOLVED_WITHIN: Duration = Duration::from_secs(60);
/// How long it takes until subscribers in other clusters have heard the same.
const ECHO: Duration = Duration::from_millis(300);

/// How long the servers may take to notice: two pings of 15 s unanswered, as they say.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// How often they are asked meanwhile, and how often that is told.
const ASK_EVERY: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// One way to lose a gateway.
struct Act {
    title: &'static str,
    story: &'static str,
    fault: ActFault,
    expected: IncidentKind,
    /// Whether to wait until the servers have noticed too.
    wait_for_servers: bool,
    /// Whose messages are counted: servers whose name begins so.
    flows_from: &'static str,
}

enum ActFault {
    Pair(&'static str, &'static str),
    OneServer(&'static str, &'static str, &'static str),
    Kill(&'static str),
}

const ACTS: [Act; 3] = [
    Act {
        title: "A firewall drops every packet between east and west",
        story: "No connection is closed. NATS has no event for it: the servers go on listing the gateway as healthy until two \
                pings stay unanswered, and every dashboard built on what they report with them.",
        fault: ActFault::Pair("east", "west"),
        expected: IncidentKind::GatewayDown,
        wait_for_servers: true,
        flows_from: "east",
    },
    Act {
        title: "Only server east-1 loses its gateway to west",
        story: "East as a whole still reaches west. But no server forwards for another, so clients of east-1 lose every \
                message for west while their neighbours on east-2 notice nothing.",
        fault: ActFault::OneServer("east", "east-1", "west"),
        expected: IncidentKind::GatewayDegraded,
        wait_for_servers: false,
        flows_from: "east",
    },
    Act {
        title: "The whole cluster west is killed (kill -9)",
        story: "Three servers and twelve server links are gone at once. That is one cause, so it is one incident.",
        fault: ActFault::Kill("west"),
        expected: IncidentKind::ClusterOffline,
        wait_for_servers: false,
        flows_from: "east-1",
    },
];

/// Plays all acts, then reads back what JetStream kept.
pub(super) async fn run(stage: &mut Stage, teller: &Teller, quick: bool) -> Result<(), Failure> {
    let started = stage.clock.now().wall;
    let mut acts = Vec::new();
    for (index, act) in ACTS.iter().enumerate() {
        let (title, story) = (act.title.to_owned(), act.story.to_owned());
        teller.tell(&Step::Act { number: index + 1, of: ACTS.len(), title, story })?;
        acts.push(Scene { act, stage: &mut *stage, teller, quick }.play().await?);
        stage.whole().await?;
    }
    kept(stage, teller, started).await?;
    teller.tell(&Step::Outcome { acts })
}

/// One act on the stage.
struct Scene<'a> {
    act: &'a Act,
    stage: &'a mut Stage,
    teller: &'a Teller,
    quick: bool,
}

impl Scene<'_> {
    async fn play(mut self) -> Result<ActOutcome, Failure> {
        let what = self.break_it().await?;
        let broke = self.stage.clock.mono();
        self.stage.traffic.mark();
        self.teller.tell(&Step::Broke { what: what.clone() })?;

        let (seen_ms, alert) = self.await_alert(broke).await?;
        let alert_ms = self.stage.since(broke);
        self.teller.tell(&Step::alert(Some(alert_ms), &alert))?;
        self.echo(broke, &alert).await?;
        let links = alert.to_model().incident.scope.server_links;
        let claims = self.claims(broke, &links, &alert).await?;
        self.traffic(broke).await?;
        let noticed_ms = if self.act.wait_for_servers && !self.quick {
            let noticed = self.await_servers(broke, &links).await?;
            self.traffic(broke).await?;
            noticed
        } else {
            None
        };

        let mended = self.mend().await?;
        let healed = self.stage.clock.mono();
        self.teller.tell(&Step::Healed { what: mended })?;
        let resolved_ms = self.await_resolution(healed, &alert).await?;
        let kind = alert.to_model().incident.kind.token().to_owned();
        Ok(ActOutcome { what, seen_ms, alert_ms, claims, noticed_ms, resolved_ms, kind })
    }

    async fn break_it(&self) -> Result<String, Failure> {
        let faults = self.stage.lab.faults();
        match self.act.fault {
            ActFault::Pair(a, b) => {
                faults.cut_pair(a, b, Fault::Blackhole).map_err(Failure::internal)?;
                Ok(format!("{a} <-> {b}: packets dropped"))
            }
            ActFault::OneServer(cluster, server, remote) => {
                let path = Path { from: Side::server(cluster, server), to: Side::cluster(remote) };
                faults.set(path, Fault::Blackhole).map_err(Failure::internal)?;
                Ok(format!("{server} -> {remote}: packets dropped"))
            }
            ActFault::Kill(cluster) => {
                let kill = Command::Kill { target: cluster.to_owned() };
                command::obey(&kill, &self.stage.lab).await.map_err(Failure::internal)?;
                Ok(format!("{cluster}: all servers killed"))
            }
        }
    }

    async fn mend(&self) -> Result<String, Failure> {
        match self.act.fault {
            ActFault::Pair(..) | ActFault::OneServer(..) => {
                self.stage.lab.faults().clear_all();
                Ok("packets pass again".to_owned())
            }
            ActFault::Kill(cluster) => {
                let start = Command::Start { target: cluster.to_owned() };
                command::obey(&start, &self.stage.lab).await.map_err(Failure::internal)?;
                Ok(format!("{cluster} is started again"))
            }
        }
    }

    /// Shows what is heard until the expected alert comes. Returns also when the first loss was heard of.
    async fn await_alert(&mut self, broke: Mono) -> Result<(u64, Box<Alert>), Failure> {
        let mut first = None;
        let wanted = async {
            loop {
                let heard = self.stage.hear().await;
                match &heard {
                    Heard::Event(event) if word_of(event) == Some(EventWord::Lost) => {
                        first.get_or_insert(self.stage.since(broke));
                    }
                    Heard::Alert(alert) if self.is_expected(alert) => return Ok(alert.clone()),
                    Heard::Event(_) | Heard::Alert(_) => {}
                }
                self.show(heard, broke)?;
            }
        };
        let alert =
            tokio::time::timeout(ALERT_WITHIN, wanted).await.unwrap_or_else(|_| Err(self.missing_alert()))?;
        let alert_ms = self.stage.since(broke);
        Ok((first.unwrap_or(alert_ms), alert))
    }

    fn is_expected(&self, alert: &Alert) -> bool {
        let event = alert.to_model();
        event.incident.kind == self.act.expected && event.stage == IncidentStage::Opened
    }

    fn missing_alert(&self) -> Failure {
        Failure::internal(anyhow::anyhow!(
            "no alert of kind {} came within {} s of the break ({}); run again with --log info to see why",
            self.act.expected,
            ALERT_WITHIN.as_secs(),
            self.act.title
        ))
    }

    /// Tells where else the alert was heard.
    async fn echo(&mut self, broke: Mono, alert: &Alert) -> Result<(), Failure> {
        // Listening on collects the places.
        self.listen(ECHO, broke).await?;
        self.teller.tell(&Step::HeardIn { clusters: self.stage.ears.places(&alert.id) })
    }

    /// Asks the servers whose links are cut. A killed server cannot be asked.
    async fn claims(
        &self,
        broke: Mono,
        links: &[ServerLink],
        alert: &Alert,
    ) -> Result<Option<(usize, usize)>, Failure> {
        if matches!(self.act.fault, ActFault::Kill(_)) {
            return Ok(None);
        }
        let (listing, asked) = claims::still_listed(&self.stage.lab, links).await;
        let notice_by = alert.incident.server_view.notice_by.map(DateTime::<Utc>::from);
        let now = self.stage.clock.now().wall;
        let notice_in_ms = notice_by.and_then(|at| (at - now).to_std().ok()).map(millis);
        let after_ms = self.stage.since(broke);
        self.teller.tell(&Step::Claims { after_ms, asked, listing, notice_in_ms })?;
        Ok(Some((listing, asked)))
    }

    /// Goes on asking until no server lists a cut link any more; tells now and then. `None` when they took too long.
    async fn await_servers(&mut self, broke: Mono, links: &[ServerLink]) -> Result<Option<u64>, Failure> {
        let mut told = (usize::MAX, self.stage.since(broke));
        while self.stage.since(broke) < millis(NOTICED_WITHIN) {
            let (listing, asked) = claims::still_listed(&self.stage.lab, links).await;
            let after_ms = self.stage.since(broke);
            let changed = listing != told.0 && told.0 != usize::MAX;
            if changed || listing == 0 || after_ms - told.1 >= millis(TELL_EVERY) {
                self.teller.tell(&Step::Claims { after_ms, asked, listing, notice_in_ms: None })?;
                told = (listing, after_ms);
            } else if told.0 == usize::MAX {
                told.0 = listing;
            }
            if listing == 0 {
                return Ok(Some(after_ms));
            }
            self.listen(ASK_EVERY, broke).await?;
        }
        Ok(None)
    }

    /// Shows what is heard for a while.
    async fn listen(&mut self, length: Duration, from: Mono) -> Result<(), Failure> {
        let listen = async {
            loop {
                let heard = self.stage.hear().await;
                self.show(heard, from)?;
            }
        };
        tokio::time::timeout(length, listen).await.unwrap_or(Ok(()))
    }

    /// Shows one message, with the time since the break or the heal. Details are left out.
    fn show(&self, heard: Heard, from: Mono) -> Result<(), Failure> {
        let after_ms = Some(self.stage.since(from));
        match heard {
            Heard::Alert(alert) => self.teller.tell(&Step::alert(after_ms, &alert)),
            Heard::Event(event) => match word_of(&event) {
                Some(word) => self.teller.tell(&Step::Event { after_ms, word, text: event.text }),
                None => Ok(()),
            },
        }
    }

    async fn traffic(&self, broke: Mono) -> Result<(), Failure> {
        let flows = self.stage.traffic.since_mark().await;
        let told: Vec<Flow> =
            flows.into_iter().filter(|flow| flow.from.starts_with(self.act.flows_from)).collect();
        self.teller.tell(&Step::Traffic { after_ms: self.stage.since(broke), flows: told })
    }

    /// Shows what is heard until the incident is resolved.
    async fn await_resolution(&mut self, healed: Mono, alert: &Alert) -> Result<u64, Failure> {
        let wanted = async {
            loop {
                let heard = self.stage.hear().await;
                let over = matches!(&heard, Heard::Alert(news) if is_end_of(alert, news));
                self.show(heard, healed)?;
                if over {
                    return Ok(self.stage.since(healed));
                }
            }
        };
        let ended = tokio::time::timeout(RESOLVED_WITHIN, wanted).await;
        ended.unwrap_or_else(|_| Err(self.missing_end()))
    }

    fn missing_end(&self) -> Failure {
        Failure::internal(anyhow::anyhow!(
            "the incident was not resolved within {} s of the heal ({})",
            RESOLVED_WITHIN.as_secs(),
            self.act.title
        ))
    }
}

fn is_end_of(alert: &Alert, news: &Alert) -> bool {
    news.incident.incident == alert.incident.incident && news.to_model().stage == IncidentStage::Resolved
}

/// Reads the incidents back from JetStream, as any client of the account can.
async fn kept(stage: &Stage, teller: &Teller, started: DateTime<Utc>) -> Result<(), Failure> {
    let filter = IncidentFilter { since: Some(started), ..IncidentFilter::default() };
    let history = stage.history("reader").await?;
    let mut incidents = history.incidents(&filter).await.map_err(Failure::unavailable)?;
    incidents.reverse();
    let missing = ACTS.iter().find(|act| !incidents.iter().any(|incident| incident.kind == act.expected));
    teller.tell(&Step::Kept {
        stream: stage.alerts_stream(),
        incidents: incidents.iter().map(Into::into).collect(),
    })?;
    match missing {
        None => Ok(()),
        Some(act) => Err(Failure::internal(anyhow::anyhow!(
            "stream {} holds no incident of kind {}",
            stage.alerts_stream(),
            act.expected
        ))),
    }
}
