//! What the vantages tell the fleet.

use crate::model::ids::ClusterName;
use crate::model::observation::ConfigReport;

/// Something one vantage met that concerns all.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Notice {
    /// The vantage into this cluster can be used again: look around through it.
    Connected(ClusterName),
    /// A server told where clients connect to its cluster, and which clusters it is configured to reach.
    Config(ConfigReport),
    /// A cluster spoke up.
    Seen(ClusterName),
}
