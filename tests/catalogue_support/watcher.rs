//! gatewatch itself: inside this process, or as the real program where a story freezes it.

use super::Trouble;
use super::ground::{APP, Login, NARROW, SYSTEM, Shape};
use gatewatch::config::Override;
use gatewatch::config::settings::Settings;
use gatewatch::daemon::Daemon;
use gatewatch::lab::Supercluster;
use gatewatch::nats::provision::Provisioning;
use gatewatch::wire::body::SnapshotBody;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How soon an incident is resolved after the heal. Shorter than the default so that trials are; it decides nothing else.
const CLEAR_AFTER: &str = "2s";
const PROGRAM: &str = env!("CARGO_BIN_EXE_gatewatch");
const POLL: Duration = Duration::from_millis(200);
/// For the program to store what it must and end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// gatewatch, running or not.
pub(crate) struct Watcher {
    lab: Reach,
    as_process: bool,
    login: &'static Login,
    runs: Runs,
}

/// Where it connects.
struct Reach {
    system: Vec<String>,
    alerts: Vec<String>,
    state: String,
}

enum Runs {
    Not,
    Inside(Box<Daemon>),
    Process(Program),
}

/// The real program; killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already, or it ends now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Watcher {
    pub(super) fn new(lab: &Supercluster, shape: &Shape, as_process: bool) -> Result<Self, Trouble> {
        let home = shape.present().next().ok_or("no cluster runs")?;
        let home = lab.cluster(&home.name)?;
        let direct = home.client_urls();
        let proxied = home.servers().iter().filter_map(|server| server.proxied_client_url());
        let proxied: Vec<String> = proxied.collect();
        let system = if proxied.is_empty() { direct.clone() } else { proxied };
        Ok(Self {
            lab: Reach { system, alerts: direct, state: lab.dir().join("state").display().to_string() },
            as_process,
            login: &SYSTEM,
            runs: Runs::Not,
        })
    }

    /// Starts it unless it runs.
    pub(super) async fn start(&mut self) -> Result<(), Trouble> {
        if !matches!(self.runs, Runs::Not) {
            return Ok(());
        }
        self.runs = if self.as_process {
            Runs::Process(Program(self.command().arg("run").spawn()?))
        } else {
            Runs::Inside(Box::new(Daemon::start(self.settings()?).await?))
        };
        Ok(())
    }

    /// Stops it in order, if it runs.
    pub(super) async fn stop(&mut self) -> Result<(), Trouble> {
        match std::mem::replace(&mut self.runs, Runs::Not) {
            Runs::Not => {}
            Runs::Inside(daemon) => daemon.stop().await?,
            Runs::Process(mut program) => {
                kill_process(pid(&program.0)?, Signal::TERM)?;
                let ended = async {
                    while program.0.try_wait()?.is_none() {
                        tokio::time::sleep(POLL).await;
                    }
                    Ok::<(), std::io::Error>(())
                };
                tokio::time::timeout(STOP_WITHIN, ended).await??;
            }
        }
        Ok(())
    }

    /// Another login from the next start on: one that may only listen, or the whole one.
    pub(super) fn narrow(&mut self, narrow: bool) {
        self.login = if narrow { &NARROW } else { &SYSTEM };
    }

    /// Stops the process; only a process of its own can be.
    pub(super) fn freeze(&self) -> Result<(), Trouble> {
        match &self.runs {
            Runs::Process(program) => Ok(kill_process(pid(&program.0)?, Signal::STOP)?),
            Runs::Not | Runs::Inside(_) => Err("gatewatch is no process of its own here".into()),
        }
    }

    pub(super) fn thaw(&self) {
        if let Runs::Process(program) = &self.runs
            && let Ok(pid) = pid(&program.0)
        {
            // It has ended, then there is nothing to thaw.
            let _ = kill_process(pid, Signal::CONT);
        }
    }

    /// Waits until it holds everything that runs for healthy and every configured link for proven.
    pub(super) async fn whole(&self, shape: &Shape, limit: Duration) -> Result<(), Trouble> {
        let mut seen = Value::Null;
        let whole = async {
            loop {
                seen = self.view().await?;
                if lacks(&seen, shape).is_empty() {
                    return Ok::<(), Trouble>(());
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(limit, whole).await {
            Ok(result) => result,
            Err(_) => Err(format!("not whole after {limit:?}: {}", lacks(&seen, shape).join("; ")).into()),
        }
    }

    /// All that it holds for true, as it publishes it.
    async fn view(&self) -> Result<Value, Trouble> {
        match &self.runs {
            Runs::Not => Err("gatewatch does not run".into()),
            Runs::Inside(daemon) if !matches!(*daemon.provisioning().borrow(), Provisioning::Ready(_)) => {
                Ok(Value::Null)
            }
            Runs::Inside(daemon) => {
                let snapshot = daemon.snapshot().borrow().as_ref().map(SnapshotBody::from);
                Ok(serde_json::to_value(snapshot)?)
            }
            Runs::Process(_) => {
                let mut command = self.command();
                let asked = command.args(["status", "--json"]).stdout(Stdio::piped());
                let asked = tokio::process::Command::from(std::mem::replace(asked, Command::new("")));
                let mut asked = asked;
                let answer: Value = serde_json::from_slice(&asked.output().await?.stdout).unwrap_or_default();
                Ok(answer["snapshot"].clone())
            }
        }
    }

    /// Settings as a user would write them: where to start, and two logins.
    fn given(&self) -> [(&'static str, String); 8] {
        [
            ("system.servers", self.lab.system.join(",")),
            ("system.user", self.login.user.to_owned()),
            ("system.password", self.login.password.to_owned()),
            ("alerts.servers", self.lab.alerts.join(",")),
            ("alerts.user", APP.user.to_owned()),
            ("alerts.password", APP.password.to_owned()),
            ("detect.clear_after", CLEAR_AFTER.to_owned()),
            ("outbox.directory", self.lab.state.clone()),
        ]
    }

    fn settings(&self) -> Result<Settings, Trouble> {
        let given = self.given().map(|(key, value)| Override {
            key: key.to_owned(),
            value,
            flag: "the catalogue".to_owned(),
        });
        Ok(Settings::load(None, std::iter::empty(), &given).map_err(|errors| errors.to_string())?)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        for (key, value) in self.given() {
            command.env(format!("GATEWATCH_{}", key.to_uppercase().replace('.', "__")), value);
        }
        command.current_dir(std::env::temp_dir());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn pid(child: &Child) -> Result<Pid, Trouble> {
    let raw = i32::try_from(child.id())?;
    Pid::from_raw(raw).ok_or_else(|| "no process".into())
}

/// What is missing from a whole view.
fn lacks(view: &Value, shape: &Shape) -> Vec<String> {
    let list = |key: &str| view[key].as_array().cloned().unwrap_or_default();
    let mut lacks: Vec<String> = list("incidents")
        .iter()
        .filter(|incident| incident["severity"] != "info")
        .map(|incident| format!("{} is open", incident["kind"]))
        .collect();
    for cluster in shape.present() {
        let named = |one: &&Value| one["name"] == *cluster.name && one["state"] == "healthy";
        let live = |one: &Value| {
            let servers = one["servers"].as_array().into_iter().flatten();
            servers.filter(|server| server["state"] == "live").count() == cluster.servers
        };
        if !list("clusters").iter().find(named).is_some_and(live) {
            lacks.push(format!("cluster {} is not healthy with {} servers", cluster.name, cluster.servers));
        }
        let sound = |one: &Value| one["cluster"] == *cluster.name && one["state"] == "sound";
        if !list("vantages").iter().any(sound) {
            lacks.push(format!("no sound vantage in {}", cluster.name));
        }
    }
    for (from, to) in shape.pairs() {
        let link = |one: &Value| one["link"]["from"] == *from && one["link"]["to"] == *to;
        let proven = |one: &Value| link(one) && one["state"] == "up" && one["basis"] == "beats";
        if !list("links").iter().any(proven) {
            lacks.push(format!("link {from} -> {to} is not proven"));
        }
    }
    lacks
}
