//! What a stream keeps, read back by a plain client.

#![allow(dead_code, reason = "each user has its own part of it")]

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::{Client, Message, jetstream};
use futures::StreamExt;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const TRY_EVERY: Duration = Duration::from_millis(250);

/// Why it could not be read.
pub(crate) type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// Everything that a stream keeps, oldest first.
pub(crate) async fn kept(client: &Client, stream: &str) -> Result<Vec<Message>, Trouble> {
    let unacked = pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
    let stream = jetstream::new(client.clone()).get_stream(stream).await?;
    let consumer = stream.create_consumer(unacked).await?;
    let mut left = consumer.cached_info().num_pending;
    let mut kept = Vec::new();
    while left > 0 {
        let mut batch = consumer.fetch().max_messages(500).messages().await?;
        let before = left;
        while let Some(message) = batch.next().await {
            kept.push(message?.message);
            left = left.saturating_sub(1);
        }
        if left == before {
            return Err("the stream stands still".into());
        }
    }
    Ok(kept)
}

/// The same, tried again for as long as `limit`: JetStream may be electing a leader.
pub(crate) async fn kept_within(
    limit: Duration,
    client: &Client,
    stream: &str,
) -> Result<Vec<Message>, Trouble> {
    let mut last: Option<Trouble> = None;
    let reading = async {
        loop {
            match kept(client, stream).await {
                Ok(kept) => return kept,
                Err(trouble) => last = Some(trouble),
            }
            sleep(TRY_EVERY).await;
        }
    };
    let read = timeout(limit, reading).await;
    read.map_err(|late| last.unwrap_or_else(|| late.into()))
}
