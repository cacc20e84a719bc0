//! What gatewatch keeps in JetStream.

use super::Trouble;
use super::ground::{APP, Ground};
use crate::kept::kept;
use async_nats::{Client, ConnectOptions, jetstream};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use serde_json::Value;

impl Ground {
    /// Everything that a stream keeps, in the order in which it happened; storing may have been repeated, and then it came later.
    pub(crate) async fn stored(&self, stream: &str) -> Result<Vec<Value>, Trouble> {
        let kept = kept(&self.client().await?, stream).await?;
        let bodies = kept.iter().map(|message| serde_json::from_slice(&message.payload));
        let mut kept = bodies.collect::<Result<Vec<Value>, _>>()?;
        let time = |body: &Value| body["timestamp"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        kept.sort_by_key(time);
        Ok(kept)
    }

    /// Removes all that gatewatch remembers.
    pub(super) async fn forget(&self) -> Result<(), Trouble> {
        let jetstream = jetstream::new(self.client().await?);
        let kept = ["KV_GATEWATCH", "GATEWATCH_ALERTS", "GATEWATCH_EVENTS"];
        for deleted in join_all(kept.map(|stream| jetstream.delete_stream(stream))).await {
            deleted?;
        }
        Ok(())
    }

    async fn client(&self) -> Result<Client, Trouble> {
        let home = self.lab.clusters().first().cloned().ok_or("no cluster")?;
        let options = ConnectOptions::with_user_and_password(APP.user.into(), APP.password.into());
        Ok(options.connect(self.lab.cluster(home.as_str())?.client_urls()).await?)
    }
}
