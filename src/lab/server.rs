//! One server of a lab: start, stop, freeze and break it, across as many lives as wanted.

use super::binary::ServerBinary;
use super::config::ServerOptions;
use super::control::ControlError;
use super::dialler::RosterEntry;
use super::ports::loopback;
use super::process::Process;
use super::proxy::Proxy;
use super::seat::{Estate, Seat};
use super::supercluster::ConnectError;
use crate::model::ids::{ServerId, ServerKey};
use async_nats::ConnectOptions;
use rustix::process::Signal;
use serde::Deserialize;
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const START_LIMIT: Duration = Duration::from_secs(20);
const KILL_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);
const GREETING_LIMIT: u64 = 64 * 1024;

/// A server of the lab. Its name, its ports and its files stay the same across restarts; its id does not.
#[derive(Debug)]
pub struct LabServer {
    seat: Arc<Seat>,
    dir: PathBuf,
    proxies: Proxies,
    estate: Arc<Estate>,
    state: Mutex<State>,
}

/// What stands before the ports of a server.
#[derive(Debug)]
pub(super) struct Proxies {
    pub(super) gateway: Proxy,
    /// If the lab has such.
    pub(super) clients: Option<Proxy>,
}

impl Proxies {
    fn all(&self) -> impl Iterator<Item = &Proxy> {
        iter::once(&self.gateway).chain(&self.clients)
    }
}

#[derive(Debug)]
struct State {
    life: Option<Life>,
    end: Option<UnaskedEnd>,
}

/// One life of the server. Dropping it kills the process.
#[derive(Debug)]
struct Life {
    process: Process,
    id: ServerId,
    asked_to_end: bool,
    _entry: RosterEntry,
}

/// A server that ended although nobody asked it to.
#[derive(Debug, Clone)]
pub(super) struct UnaskedEnd {
    pub(super) status: ExitStatus,
    pub(super) log: String,
}

impl LabServer {
    pub(super) fn new(seat: Arc<Seat>, dir: PathBuf, proxies: Proxies, estate: Arc<Estate>) -> Self {
        Self { seat, dir, proxies, estate, state: Mutex::new(State { life: None, end: None }) }
    }

    /// Its cluster and name.
    #[must_use]
    pub fn key(&self) -> &ServerKey {
        &self.seat.key
    }

    /// Where clients connect, past any proxy, without credentials: `nats://127.0.0.1:port`.
    #[must_use]
    pub fn client_url(&self) -> String {
        format!("nats://{}", loopback(self.seat.ports.client))
    }

    /// Where clients connect through its client proxy; `None` without [`Builder::client_proxies`](super::Builder::client_proxies).
    #[must_use]
    pub fn proxied_client_url(&self) -> Option<String> {
        self.seat.client_proxy.map(|address| format!("nats://{address}"))
    }

    /// Where other clusters' gateways dial it: the address of its fault proxy.
    #[must_use]
    pub fn gateway_address(&self) -> SocketAddr {
        self.seat.advertise
    }

    /// The URL under which other clusters list it, with the login that its gateway asks for.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        self.seat.gateway_url()
    }

    /// Whether it is laid out and in nobody's lists: see [`Builder::spare`](super::Builder::spare).
    #[must_use]
    pub fn is_spare(&self) -> bool {
        self.seat.plan().spare
    }

    /// The id of its current life, or `None` when it does not run.
    #[must_use]
    pub fn id(&self) -> Option<ServerId> {
        self.observed().life.as_ref().map(|life| life.id.clone())
    }

    /// The id of its process, or `None` when it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.observed().life.as_ref().map(|life| life.process.pid())
    }

    /// Its directory: configuration, log, JetStream store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its log, of all its lives.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// The program that it runs from its next start on.
    #[must_use]
    pub fn binary(&self) -> ServerBinary {
        self.seat.plan().options.binary.clone().unwrap_or_else(|| self.estate.binary.clone())
    }

    /// What differs from the lab's defaults.
    #[must_use]
    pub fn options(&self) -> ServerOptions {
        self.seat.plan().options.clone()
    }

    /// Other options (another program, other configuration), from the next start on.
    pub fn set_options(&self, options: ServerOptions) {
        self.seat.plan().options = options;
    }

    /// Changes its options, from the next start on.
    pub fn change_options(&self, change: impl FnOnce(&mut ServerOptions)) {
        change(&mut self.seat.plan().options);
    }

    /// From now on others list it when they start.
    pub(super) fn enlist(&self) {
        self.seat.plan().spare = false;
    }

    /// Connects a client of the system account.
    ///
    /// # Errors
    /// [`ConnectError`] when the server does not take it.
    pub async fn system_client(&self) -> Result<async_nats::Client, ConnectError> {
        self.client(self.estate.common.as_system()).await
    }

    /// Connects a client of the account that may use JetStream (`APP`, unless [`Builder::logins`](super::Builder::logins) gave another).
    ///
    /// # Errors
    /// [`ConnectError`] when the server does not take it.
    pub async fn app_client(&self) -> Result<async_nats::Client, ConnectError> {
        self.client(self.estate.common.as_app()).await
    }

    async fn client(&self, login: ConnectOptions) -> Result<async_nats::Client, ConnectError> {
        login
            .name("gatewatch-lab")
            .ignore_discovered_servers()
            .connect(self.client_url())
            .await
            .map_err(|source| ConnectError { server: self.key().clone(), source })
    }

    /// Starts it and waits until it greets clients. Gateways and routes connect within the next seconds. A spare server is
    /// none any more: others list it from their next start on, and learn of it by gossip until then.
    ///
    /// # Errors
    /// [`ControlError`]; when the server ended or does not answer, with the end of its log.
    pub async fn start(&self) -> Result<(), ControlError> {
        self.enlist();
        let process = self.spawn()?;
        let entry = self.estate.roster.enter(process.pid(), self.key());
        let mut life = Life { process, id: ServerId::from(""), asked_to_end: false, _entry: entry };
        life.id = self.greeting(&mut life.process).await?;
        for proxy in self.proxies.all() {
            self.open(proxy).await?;
        }
        tracing::debug!(server = %self.key(), id = %life.id, pid = life.process.pid(), "server started");
        let mut state = self.observed();
        state.end = None;
        state.life = Some(life);
        Ok(())
    }

    /// Has the system refuse all who dial its gateway port, as a firewall that rejects would. Connections that exist live on.
    /// Lasts until [`LabServer::open_gateway_port`] or the next start.
    pub fn close_gateway_port(&self) {
        self.proxies.gateway.close();
    }

    /// Ends what [`LabServer::close_gateway_port`] began.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`], and [`ControlError::Proxy`] when the address was taken meanwhile.
    pub async fn open_gateway_port(&self) -> Result<(), ControlError> {
        if self.pid().is_none() {
            return Err(ControlError::NotRunning { server: self.key().clone() });
        }
        self.open(&self.proxies.gateway).await
    }

    async fn open(&self, proxy: &Proxy) -> Result<(), ControlError> {
        proxy.open().await.map_err(|source| ControlError::Proxy {
            server: self.key().clone(),
            address: proxy.address(),
            source,
        })
    }

    /// Kills it as a crash would (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] and the system's refusals.
    pub async fn kill(&self) -> Result<(), ControlError> {
        self.signal(Signal::KILL, Asks::End)?;
        self.await_exit(KILL_LIMIT).await
    }

    /// Asks it to stop (SIGTERM: it announces its shutdown) and waits up to `limit` until it is gone.
    ///
    /// # Errors
    /// [`ControlError::StillRunning`] after `limit`, for instance because it is frozen.
    pub async fn stop(&self, limit: Duration) -> Result<(), ControlError> {
        self.signal(Signal::TERM, Asks::End)?;
        self.await_exit(limit).await
    }

    /// Lame duck mode (SIGUSR2): it announces that it leaves, takes no more clients, sends its clients away and ends.
    /// Returns at once; see [`LabServer::await_exit`]. Without clients the process ends at once, with JetStream after a
    /// second; each client beyond the first adds about half a second. (The lab sets a grace period of 100 ms; the
    /// servers allow no `lame_duck_duration` below 30 s, and it bounds this time from above only.)
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] and the system's refusals.
    pub fn lame_duck(&self) -> Result<(), ControlError> {
        self.signal(Signal::USR2, Asks::End)
    }

    /// Lame duck mode to the end: [`LabServer::lame_duck`] and [`LabServer::await_exit`].
    ///
    /// # Errors
    /// [`ControlError::NotRunning`], and [`ControlError::StillRunning`] after `limit`.
    pub async fn drain(&self, limit: Duration) -> Result<(), ControlError> {
        self.lame_duck()?;
        self.await_exit(limit).await
    }

    /// Stops it if it runs and makes it a spare server: nobody lists it from the next start on.
    ///
    /// # Errors
    /// Those of [`LabServer::stop`].
    pub async fn retire(&self, limit: Duration) -> Result<(), ControlError> {
        if self.pid().is_some() {
            self.stop(limit).await?;
        }
        self.seat.plan().spare = true;
        Ok(())
    }

    /// Freezes it (SIGSTOP) and waits until it stands still: it neither computes nor answers, its sockets stay open
    /// and the system accepts connections for it.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`], and [`ControlError::StillRunning`] when somebody thaws it at the same time.
    pub async fn freeze(&self) -> Result<(), ControlError> {
        self.signal(Signal::STOP, Asks::Nothing)?;
        let frozen = async {
            while !self.is_frozen()? {
                sleep(POLL).await;
            }
            Ok(())
        };
        timeout(KILL_LIMIT, frozen).await.unwrap_or_else(|_| Err(self.still_running(KILL_LIMIT)))
    }

    /// Ends a freeze (SIGCONT).
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] and the system's refusals.
    pub fn thaw(&self) -> Result<(), ControlError> {
        self.signal(Signal::CONT, Asks::Nothing)
    }

    /// Stops it if it runs, and starts it again with its present options.
    ///
    /// # Errors
    /// Those of [`LabServer::stop`] (with a limit of 10 s) and [`LabServer::start`].
    pub async fn restart(&self) -> Result<(), ControlError> {
        if self.pid().is_some() {
            self.stop(Duration::from_secs(10)).await?;
        }
        self.start().await
    }

    /// Writes its configuration anew and has the running server read it (SIGHUP). It takes over accounts and the content of
    /// its TLS files so; what cannot change (remotes, ports, logins of gateways) makes it refuse the whole, with an error
    /// in its log.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`] and the system's refusals.
    pub fn reload(&self) -> Result<(), ControlError> {
        self.write_config().map_err(|source| self.not_spawned(source))?;
        self.signal(Signal::HUP, Asks::Nothing)
    }

    /// Waits up to `limit` until it does not run.
    ///
    /// # Errors
    /// [`ControlError::StillRunning`] after `limit`.
    pub async fn await_exit(&self, limit: Duration) -> Result<(), ControlError> {
        let gone = async {
            while self.pid().is_some() {
                sleep(POLL).await;
            }
        };
        timeout(limit, gone).await.map_err(|_| self.still_running(limit))
    }

    fn still_running(&self, waited: Duration) -> ControlError {
        ControlError::StillRunning { server: self.key().clone(), waited }
    }

    fn is_frozen(&self) -> Result<bool, ControlError> {
        let state = self.observed();
        let server = || self.key().clone();
        let life = state.life.as_ref().ok_or_else(|| ControlError::NotRunning { server: server() })?;
        life.process.is_frozen().map_err(|source| ControlError::Signal { server: server(), source })
    }

    /// How it ended, if nobody asked it to.
    pub(super) fn unasked_end(&self) -> Option<UnaskedEnd> {
        self.observed().end.clone()
    }

    /// Sends SIGKILL and does not wait: so that many servers die at the same time.
    pub(super) fn begin_kill(&self) {
        // Not running is what is wanted; any other failure is met again when the process is dropped.
        let _ = self.signal(Signal::KILL, Asks::End);
    }

    /// The state, brought up to date: a process that has ended is reaped, and its proxy stops to listen.
    fn observed(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = state.life.as_mut().map(|life| life.process.ended());
        match ended {
            Some(Ok(Some(status))) => {
                self.proxies.all().for_each(Proxy::close);
                if let Some(life) = state.life.take()
                    && !life.asked_to_end
                {
                    state.end = Some(UnaskedEnd { status, log: life.process.log_tail() });
                }
            }
            Some(Err(error)) => {
                tracing::warn!(server = %self.key(), %error, "cannot tell whether a server runs");
            }
            Some(Ok(None)) | None => {}
        }
        state
    }

    fn signal(&self, signal: Signal, asks: Asks) -> Result<(), ControlError> {
        let mut state = self.observed();
        let server = || self.key().clone();
        let life = state.life.as_mut().ok_or_else(|| ControlError::NotRunning { server: server() })?;
        life.process.signal(signal).map_err(|source| ControlError::Signal { server: server(), source })?;
        life.asked_to_end |= asks == Asks::End;
        Ok(())
    }

    fn spawn(&self) -> Result<Process, ControlError> {
        let state = self.observed();
        if state.life.is_some() {
            return Err(ControlError::AlreadyRunning { server: self.key().clone() });
        }
        let program = self.binary().path;
        self.write_config()
            .and_then(|config| Process::spawn(&self.estate.workspace, &program, &config, &self.log_path()))
            .map_err(|source| self.not_spawned(source))
    }

    fn not_spawned(&self, source: io::Error) -> ControlError {
        ControlError::Spawn { server: self.key().clone(), program: self.binary().path, source }
    }

    fn write_config(&self) -> io::Result<PathBuf> {
        let config = self.dir.join("server.conf");
        std::fs::create_dir_all(&self.dir)?;
        std::fs::write(&config, self.estate.config(&self.seat, &self.dir))?;
        Ok(config)
    }

    /// Waits for the greeting of a server just spawned; it carries the id of the new life.
    async fn greeting(&self, process: &mut Process) -> Result<ServerId, ControlError> {
        let server = || self.key().clone();
        let greeted = async {
            loop {
                let ended =
                    process.ended().map_err(|source| ControlError::Signal { server: server(), source })?;
                if let Some(status) = ended {
                    return Err(ControlError::Died { server: server(), status, log: process.log_tail() });
                }
                match greet(loopback(self.seat.ports.client)).await {
                    Ok(info) if info.server_name == self.key().name.as_str() => {
                        return Ok(ServerId::from(info.server_id.as_str()));
                    }
                    // Not listening yet, or a stranger on the port: then the server is about to end.
                    Ok(_) | Err(_) => sleep(POLL).await,
                }
            }
        };
        match timeout(START_LIMIT, greeted).await {
            Ok(result) => result,
            Err(_) => {
                Err(ControlError::Silent { server: server(), waited: START_LIMIT, log: process.log_tail() })
            }
        }
    }
}

/// Whether a signal asks the server to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    End,
    Nothing,
}

#[derive(Deserialize)]
struct Info {
    server_id: String,
    server_name: String,
}

/// Reads the line with which a server greets every client.
async fn greet(address: SocketAddr) -> io::Result<Info> {
    let stream = TcpStream::connect(address).await?;
    let mut line = String::new();
    BufReader::new(stream.take(GREETING_LIMIT)).read_line(&mut line).await?;
    let body = line.strip_prefix("INFO ").ok_or(io::ErrorKind::InvalidData)?;
    serde_json::from_str(body).map_err(io::Error::from)
}
