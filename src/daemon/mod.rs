//! What runs the engine: live in the daemon's one loop, or over a recording in virtual time.

pub mod driver;
pub mod replay;

use crate::config::settings::DetectSettings;
use crate::engine::Policy;

/// The engine's numbers from the settings; what the settings do not offer keeps its default.
#[must_use]
pub fn policy(detect: &DetectSettings) -> Policy {
    Policy {
        beat_period: detect.beat_period,
        confirm_beats: detect.confirm_beats.get(),
        latency_slack: detect.latency_slack,
        latency_ceiling: detect.latency_ceiling,
        alert_after: detect.alert_after,
        clear_after: detect.clear_after,
        join_grace: detect.join_grace,
        ..Policy::default()
    }
}
