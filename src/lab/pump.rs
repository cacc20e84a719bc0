//! One direction of one proxied connection: bytes in, bytes out, under the fault in force.

use super::faults::{Fault, FaultView};
use super::ports::random;
use crate::clock::Clock;
use crate::model::time::Mono;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// A slow connection is fed in pieces of this share of a second, so that it trickles instead of stuttering.
const SLOW_PIECES_PER_SECOND: u32 = 20;

/// What one packet carries: a lossy connection may lose any of those of a chunk.
const SEGMENT: usize = 1_448;

/// A packet is not lost more often than this in a row.
const LOSSES: u32 = 6;

/// Why a direction ended, and so the whole connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// One side closed (everything it sent before was passed on) or broke.
    Closed,
    /// The fault says so.
    Reset,
}

/// Carries bytes from `from` to `to` until the connection ends; `first` goes ahead of what is read.
pub(super) async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut view: FaultView,
    clock: Clock,
    first: Bytes,
) -> End {
    let mut fault = view.current();
    let mut line = DelayLine::new(clock);
    line.push(first, fault);
    let mut scratch = vec![0_u8; CHUNK];
    let mut open = true;
    loop {
        if fault == Fault::Reset {
            return End::Reset;
        }
        if !open && line.is_empty() {
            return End::Closed;
        }
        let held = fault == Fault::Blackhole;
        let due = line.next_due().filter(|_| !held);
        let ready = due.is_some_and(|at| at <= clock.mono());
        let chunk = chunk(fault);
        tokio::select! {
            biased;
            alive = view.changed() => {
                if !alive {
                    return End::Closed;
                }
                fault = view.current();
                line.retime(fault);
            }
            written = to.write(line.front()), if ready => match written {
                Ok(count) if count > 0 => line.consume(count),
                Ok(_) | Err(_) => return End::Closed,
            },
            read = from.read(&mut scratch[..chunk]), if open && !held && line.len() < room(fault) => match read {
                Ok(count) if count > 0 => line.push(Bytes::copy_from_slice(&scratch[..count]), fault),
                Ok(_) => open = false,
                Err(_) => return End::Closed,
            },
            () = tokio::time::sleep_until(clock.instant(due.unwrap_or_default())), if due.is_some() && !ready => {}
        }
    }
}

/// How many bytes may wait inside before reading stops and TCP holds the sender back. A delayed line must hold what
/// is under way at full speed; any other should hold little.
fn room(fault: Fault) -> usize {
    match fault {
        Fault::Delay { .. } | Fault::Lossy { .. } => 64 * 1024 * 1024,
        Fault::Pass | Fault::Refuse | Fault::Blackhole | Fault::Reset => 4 * CHUNK,
        Fault::Slow { .. } => chunk(fault),
    }
}

fn chunk(fault: Fault) -> usize {
    match fault {
        Fault::Slow { bytes_per_second } => {
            let piece = bytes_per_second.get() / SLOW_PIECES_PER_SECOND;
            usize::try_from(piece).unwrap_or(CHUNK).clamp(1, CHUNK)
        }
        Fault::Pass
        | Fault::Refuse
        | Fault::Blackhole
        | Fault::Reset
        | Fault::Delay { .. }
        | Fault::Lossy { .. } => CHUNK,
    }
}

/// Chunks in the order in which they came, each with the time from which on it may go out.
struct DelayLine {
    clock: Clock,
    chunks: VecDeque<(Mono, Bytes)>,
    len: usize,
    last_due: Mono,
}

impl DelayLine {
    fn new(clock: Clock) -> Self {
        Self { clock, chunks: VecDeque::new(), len: 0, last_due: Mono::default() }
    }

    fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn next_due(&self) -> Option<Mono> {
        self.chunks.front().map(|(due, _)| *due)
    }

    fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |(_, bytes)| bytes)
    }

    /// Due times never go backwards, so order is kept whatever the jitter.
    fn push(&mut self, bytes: Bytes, fault: Fault) {
        if bytes.is_empty() {
            return;
        }
        let now = self.clock.mono();
        let due = match fault {
            Fault::Pass | Fault::Refuse | Fault::Blackhole | Fault::Reset => now,
            Fault::Delay { latency, jitter } => now + latency + random_up_to(jitter),
            Fault::Lossy { percent, retransmit } => now + repeats(bytes.len(), percent, retransmit),
            Fault::Slow { bytes_per_second } => {
                self.last_due.max(now) + transfer(bytes.len(), bytes_per_second.get())
            }
        };
        self.last_due = due.max(self.last_due);
        self.len += bytes.len();
        self.chunks.push_back((self.last_due, bytes));
    }

    fn consume(&mut self, count: usize) {
        let Some((_, bytes)) = self.chunks.front_mut() else { return };
        bytes.advance(count);
        self.len -= count;
        if bytes.is_empty() {
            self.chunks.pop_front();
        }
    }

    /// A fault that ended must not go on in what waits here: nothing waits longer than the new fault asks for.
    fn retime(&mut self, fault: Fault) {
        let latest = self.clock.mono()
            + match fault {
                Fault::Delay { latency, .. } => latency,
                Fault::Lossy { retransmit, .. } => retransmit,
                Fault::Pass | Fault::Refuse | Fault::Blackhole | Fault::Reset | Fault::Slow { .. } => {
                    Duration::ZERO
                }
            };
        for (due, _) in &mut self.chunks {
            *due = latest.min(*due);
        }
        self.last_due = latest.min(self.last_due);
    }
}

fn transfer(bytes: usize, per_second: u32) -> Duration {
    Duration::from_secs_f64(u32::try_from(bytes).unwrap_or(u32::MAX) as f64 / f64::from(per_second))
}

/// How long a chunk waits for its packets that are lost: as long as the one lost most often.
fn repeats(bytes: usize, percent: u8, retransmit: Duration) -> Duration {
    let lost = |_: &u32| random() % 100 < u64::from(percent);
    let worst = (0..bytes.div_ceil(SEGMENT)).map(|_| (0..LOSSES).take_while(lost).count()).max();
    let times = worst.and_then(|losses| u32::try_from(losses).ok()).unwrap_or_default();
    retransmit * (2_u32.pow(times) - 1)
}

fn random_up_to(limit: Duration) -> Duration {
    // The upper 32 bits as a fraction of one.
    let fraction = (random() >> 32) as f64 / f64::from(u32::MAX);
    limit.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::faults::Faults;
    use crate::model::ids::ServerKey;
    use std::num::NonZeroU32;
    use tokio::io::{DuplexStream, duplex};

    struct Line {
        faults: Faults,
        input: DuplexStream,
        output: DuplexStream,
    }

    fn line(fault: Fault) -> Line {
        let key = |cluster: &str, name: &str| ServerKey { cluster: cluster.into(), name: name.into() };
        let (east, west) = (key("east", "east-1"), key("west", "west-1"));
        let faults = Faults::new(&[east.clone(), west.clone()]);
        faults.cut_direction("east", "west", fault).unwrap();
        let (input, from) = duplex(16 * CHUNK);
        let (to, output) = duplex(16 * CHUNK);
        let view = faults.subscribe().view(east, west);
        tokio::spawn(pump(from, to, view, Clock::start(), Bytes::new()));
        Line { faults, input, output }
    }

    #[tokio::test]
    async fn jitter_never_changes_the_order() {
        let delay = Fault::Delay { latency: Duration::ZERO, jitter: Duration::from_millis(30) };
        let mut line = line(delay);
        for byte in 0..50 {
            line.input.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(line.input);
        let mut heard = Vec::new();
        line.output.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, (0..50).collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn a_delay_that_is_cleared_lets_go_at_once_what_it_still_holds() {
        let mut line = line(Fault::Delay { latency: Duration::from_secs(3600), jitter: Duration::ZERO });
        line.input.write_all(b"late").await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(50), line.output.read_u8()).await;
        assert!(waits.is_err());
        line.faults.clear_all();
        let mut heard = [0; 4];
        let arrives = line.output.read_exact(&mut heard);
        tokio::time::timeout(Duration::from_secs(5), arrives).await.unwrap().unwrap();
        assert_eq!(&heard, b"late");
    }

    #[test]
    fn as_many_packets_wait_as_are_lost_and_for_twice_as_long_each_further_time() {
        let retransmit = Duration::from_millis(200);
        let waits: Vec<Duration> = (0..10_000).map(|_| repeats(100, 5, retransmit)).collect();
        let held = waits.iter().filter(|wait| **wait >= retransmit).count();
        assert!((300..700).contains(&held), "{held} of 10,000 instead of about 500");
        assert!(
            waits.iter().all(|wait| [0, 1, 3, 7, 15, 31, 63].map(|times| retransmit * times).contains(wait))
        );
        assert_eq!(repeats(100, 0, retransmit), Duration::ZERO);
        assert_eq!(repeats(100, 100, retransmit), retransmit * 63);
        let large = (0..1_000).filter(|_| repeats(20 * SEGMENT, 5, retransmit) > Duration::ZERO).count();
        assert!((550..730).contains(&large), "{large} of 1,000 instead of about 640");
    }

    #[tokio::test]
    async fn a_lossy_line_keeps_the_order_and_loses_nothing() {
        let mut line = line(Fault::Lossy { percent: 40, retransmit: Duration::from_millis(3) });
        for byte in 0..50 {
            line.input.write_u8(byte).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(line.input);
        let mut heard = Vec::new();
        line.output.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, (0..50).collect::<Vec<u8>>());
    }

    #[tokio::test]
    async fn a_slow_line_holds_the_sender_back_instead_of_piling_up() {
        let mut line = line(Fault::Slow { bytes_per_second: NonZeroU32::new(100).unwrap() });
        let writes = async {
            loop {
                line.input.write_all(&[0; CHUNK]).await.unwrap();
            }
        };
        // The pipe before the pump takes 16 chunks; the pump itself less than one.
        let blocked: Result<(), _> = tokio::time::timeout(Duration::from_millis(100), writes).await;
        assert!(blocked.is_err());
        drop(line.input);
        let got = line.output.read_u8().await;
        assert!(got.is_ok());
    }
}
