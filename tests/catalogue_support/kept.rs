//! What gatewatch keeps in JetStream.

use super::Trouble;
use super::ground::{APP, Ground};
use async_nats::ConnectOptions;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::future::join_all;
use serde_json::Value;

impl Ground {
    /// Everything that a stream keeps, in the order in which it happened; storing may have been repeated, and then it came later.
    pub(crate) async fn stored(&self, stream: &str) -> Result<Vec<Value>, Trouble> {
        let unacked = pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
        let stream = self.jetstream().await?.get_stream(stream).await?;
        let consumer = stream.create_consumer(unacked).await?;
        let mut left = consumer.cached_info().num_pending;
        let mut kept = Vec::new();
        while left > 0 {
            let mut batch = consumer.fetch().max_messages(500).messages().await?;
            while let Some(message) = batch.next().await {
                kept.push(serde_json::from_slice::<Value>(&message?.payload)?);
                left -= 1;
            }
        }
        let time = |body: &Value| body["timestamp"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        kept.sort_by_key(time);
        Ok(kept)
    }

    /// Removes all that gatewatch remembers.
    pub(super) async fn forget(&self) -> Result<(), Trouble> {
        let jetstream = self.jetstream().await?;
        let kept = ["KV_GATEWATCH", "GATEWATCH_ALERTS", "GATEWATCH_EVENTS"];
        for deleted in join_all(kept.map(|stream| jetstream.delete_stream(stream))).await {
            deleted?;
        }
        Ok(())
    }

    async fn jetstream(&self) -> Result<Context, Trouble> {
        let home = self.lab.clusters().first().cloned().ok_or("no cluster")?;
        let options = ConnectOptions::with_user_and_password(APP.user.into(), APP.password.into());
        Ok(jetstream::new(options.connect(self.lab.cluster(home.as_str())?.client_urls()).await?))
    }
}
