//! A downstream service: hears alerts with nothing but async-nats, no gatewatch code.
//!
//! Picks what it wants by subject - `gatewatch.alert.<severity>.<kind>.<cluster>.<remote>` - and tells a repeated copy by its
//! `Nats-Msg-Id`: the same revision of an incident may be heard twice when storing it had to be repeated.
//!
//! ```text
//! cargo run --example tail_alerts -- nats://app:secret@127.0.0.1:4222 'gatewatch.alert.critical.>'
//! ```

use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};

/// How many ids are remembered; copies of one revision arrive within seconds of each other.
const REMEMBERED: usize = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: async_nats::ServerAddr =
        arguments.next().unwrap_or_else(|| "nats://127.0.0.1:4222".to_owned()).parse()?;
    let subject = arguments.next().unwrap_or_else(|| "gatewatch.alert.>".to_owned());
    // async-nats takes no credentials from the URL; handing them over is up to us.
    let options = match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        (Some(_) | None, _) => async_nats::ConnectOptions::new(),
    };
    let client = options.name("tail_alerts").connect(address).await?;
    let mut alerts = client.subscribe(subject).await?;
    let mut seen = Seen::default();
    while let Some(message) = alerts.next().await {
        let id = message.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id"));
        if id.is_some_and(|id| seen.before(id.as_str())) {
            continue;
        }
        match serde_json::from_slice::<Value>(&message.payload) {
            Ok(alert) => react(&message.subject, &alert),
            Err(error) => report(&format!("{}: not an alert: {error}", message.subject)),
        }
    }
    Ok(())
}

/// What a real service would do: stop routing to a cluster, page somebody, hold deployments.
fn react(subject: &str, alert: &Value) {
    let text = |key: &str| alert.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    report(&format!("{} [{}] {}\n    {}", text("timestamp"), text("stage"), text("title"), subject));
}

#[expect(clippy::print_stdout, reason = "an example that talks")]
fn report(line: &str) {
    println!("{line}");
}

/// The latest message ids, so that a copy is acted on once.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn before(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return true;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        false
    }
}
