//! The fault proxy in front of one server's gateway port, or of its client port.
//!
//! Accepts, finds out who dials, connects to the real port and carries bytes under the faults in force. It listens
//! only while its server runs, so that dialling a stopped server is refused as it would be without a proxy. The
//! connections it already carries do not end with the listening: they end when one of their two sides does.

use super::dialler::{HANDSHAKE_LIMIT, Handshake, Roster, read_handshake};
use super::faults::{Fault, FaultSource, FaultView, any_client};
use super::pump::{End, pump};
use crate::clock::Clock;
use crate::model::ids::ServerKey;
use bytes::{Bytes, BytesMut};
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Pause after a failed accept (no file descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Whether whoever owns no socket on the roster is surely no server: then it is a client, also on a gateway port.
const OWNERS_ARE_KNOWN: bool = cfg!(target_os = "linux");

/// What a proxy must know to judge and carry a connection.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// The server behind the proxy.
    pub(super) target: ServerKey,
    /// The real address of its port.
    pub(super) address: SocketAddr,
    /// Who dials, where that is always the same: clients on a client port.
    pub(super) dialler: Option<ServerKey>,
    pub(super) faults: FaultSource,
    pub(super) roster: Roster,
    pub(super) clock: Clock,
}

impl Context {
    fn view(&self, from: &ServerKey) -> FaultView {
        self.faults.view(from.clone(), self.target.clone())
    }
}

/// A running proxy; its task and its connections end when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    listener: watch::Sender<Option<Arc<TcpListener>>>,
    task: AbortHandle,
}

impl Proxy {
    /// A proxy at `address` that does not listen yet.
    pub(super) fn new(address: SocketAddr, context: Context) -> Self {
        let (listener, listening) = watch::channel(None);
        let task = tokio::spawn(accept_all(listening, Arc::new(context))).abort_handle();
        Self { address, listener, task }
    }

    /// Where the proxy listens; stays the same for the life of the lab.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to listen.
    pub(super) async fn open(&self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.listener.send_replace(Some(Arc::new(listener)));
        Ok(())
    }

    /// Stops to listen: new dials are refused by the system.
    pub(super) fn close(&self) {
        self.listener.send_replace(None);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept_all(mut listening: watch::Receiver<Option<Arc<TcpListener>>>, context: Arc<Context>) {
    let mut connections = JoinSet::new();
    loop {
        let listener = listening.borrow_and_update().clone();
        tokio::select! {
            changed = listening.changed() => if changed.is_err() { return },
            accepted = accept(listener.as_deref()) => match accepted {
                Ok((dialler, peer)) => {
                    connections.spawn(serve(dialler, peer, Arc::clone(&context)));
                }
                Err(error) => {
                    tracing::warn!(target = %context.target, %error, "fault proxy cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => pending().await,
    }
}

/// One connection from accept to end.
async fn serve(dialler: TcpStream, peer: SocketAddr, context: Arc<Context>) {
    let owner = match (&context.dialler, dialler.local_addr()) {
        (Some(known), _) => Some(known.clone()),
        (None, Ok(local)) => context.roster.owner(peer, local).await,
        (None, Err(_)) => None,
    };
    let ended = match owner {
        Some(from) => serve_known(dialler, &from, &context).await,
        None if OWNERS_ARE_KNOWN && context.view(&any_client()).current() != Fault::Pass => {
            serve_known(dialler, &any_client(), &context).await
        }
        None => serve_unknown(dialler, &context).await,
    };
    if let Err(error) = ended {
        tracing::debug!(target = %context.target, %peer, %error, "fault proxy gave a connection up");
    }
}

/// The dialler is known before a byte was said: nothing reaches the target before the fault allows it.
async fn serve_known(dialler: TcpStream, from: &ServerKey, context: &Context) -> io::Result<()> {
    let mut view = context.view(from);
    if !admitted(&mut view).await {
        return dialler.set_zero_linger();
    }
    match TcpStream::connect(context.address).await {
        Ok(target) => carry(dialler, target, view, context.clock, Bytes::new()).await,
        Err(error) => dialler.set_zero_linger().and(Err(error)),
    }
}

/// Waits out a blackhole; false when the connection is to be refused.
async fn admitted(view: &mut FaultView) -> bool {
    loop {
        match view.current() {
            Fault::Pass | Fault::Delay { .. } | Fault::Lossy { .. } | Fault::Slow { .. } => return true,
            Fault::Reset | Fault::Refuse => return false,
            Fault::Blackhole => {
                if !view.changed().await {
                    return false;
                }
            }
        }
    }
}

/// Lets the two sides greet until the dialler has said who it is, holding back what it says; then judges.
async fn serve_unknown(mut dialler: TcpStream, context: &Context) -> io::Result<()> {
    let mut target = match TcpStream::connect(context.address).await {
        Ok(target) => target,
        Err(error) => return dialler.set_zero_linger().and(Err(error)),
    };
    let mut said = BytesMut::new();
    let from = match greet(&mut dialler, &mut target, &mut said).await? {
        Some(from) => from,
        None => return plain(dialler, target, &said).await,
    };
    let mut view = context.view(&from);
    match view.current() {
        Fault::Reset | Fault::Refuse => reset(&dialler, &target),
        Fault::Pass | Fault::Blackhole | Fault::Delay { .. } | Fault::Lossy { .. } | Fault::Slow { .. } => {
            carry(dialler, target, view, context.clock, said.freeze()).await
        }
    }
}

/// Passes what the target says and collects what the dialler says. `None`: it is no gateway that can be read.
async fn greet(
    dialler: &mut TcpStream,
    target: &mut TcpStream,
    said: &mut BytesMut,
) -> io::Result<Option<ServerKey>> {
    let mut scratch = vec![0_u8; HANDSHAKE_LIMIT];
    loop {
        match read_handshake(said) {
            Handshake::Gateway(from) => return Ok(Some(from)),
            Handshake::Incomplete if said.len() < HANDSHAKE_LIMIT => {}
            Handshake::Incomplete | Handshake::Foreign => return Ok(None),
        }
        let ended = tokio::select! {
            read = dialler.read_buf(said) => read? == 0,
            read = target.read(&mut scratch) => {
                let count = read?;
                dialler.write_all(&scratch[..count]).await?;
                count == 0
            }
        };
        if ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Not a connection between servers of this lab, so no fault is meant for it.
async fn plain(mut dialler: TcpStream, mut target: TcpStream, said: &[u8]) -> io::Result<()> {
    target.write_all(said).await?;
    tokio::io::copy_bidirectional(&mut dialler, &mut target).await.map(|_| ())
}

async fn carry(
    mut dialler: TcpStream,
    mut target: TcpStream,
    view: FaultView,
    clock: Clock,
    said: Bytes,
) -> io::Result<()> {
    dialler.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let end = {
        let (dialler_reads, dialler_writes) = dialler.split();
        let (target_reads, target_writes) = target.split();
        tokio::select! {
            end = pump(dialler_reads, target_writes, view.clone(), clock, said) => end,
            end = pump(target_reads, dialler_writes, view, clock, Bytes::new()) => end,
        }
    };
    match end {
        End::Closed => Ok(()),
        End::Reset => reset(&dialler, &target),
    }
}

/// Both sides get a TCP reset when the sockets are dropped.
fn reset(dialler: &TcpStream, target: &TcpStream) -> io::Result<()> {
    dialler.set_zero_linger().and(target.set_zero_linger())
}

#[cfg(test)]
mod tests;
