//! What permissions are for.

/// Something gatewatch can do only when its user is allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Hearing the answers to whatever is asked.
    Answers,
    /// Asking each server for its identity a few times a second.
    Beats,
    /// Asking servers for their statistics.
    AskStats,
    /// Asking servers for their gateway connections.
    AskGateways,
    /// Asking servers for their configuration.
    AskConfig,
    /// Asking servers for their streams.
    AskJetStream,
    /// Messages to ourselves by way of the server.
    Echo,
    /// Asking the server what our own user may do.
    OwnRights,
    /// Hearing the statistics that servers broadcast.
    HearStats,
    /// Hearing that servers leave.
    HearStops,
    /// Hearing that servers refuse a login.
    HearRefusals,
    /// Hearing of client connections.
    HearClients,
    /// Telling of incidents.
    PublishAlerts,
    /// Telling of silenced incidents.
    PublishSilenced,
    /// Telling of changes.
    PublishEvents,
    /// Keeping the current state.
    WriteState,
    /// Reading the state back, and what people want.
    ReadState,
    /// Agreeing with other gatewatch processes which one speaks.
    Lease,
    /// Finding out whether streams and buckets exist.
    FindStreams,
    /// Making streams and buckets.
    CreateStreams,
    /// Finding out whether a message was stored before a crash.
    CheckStored,
    /// Reading the history.
    ReadHistory,
    /// Following alerts and events as they are published.
    Follow,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Answers,
        Self::Beats,
        Self::AskStats,
        Self::AskGateways,
        Self::AskConfig,
        Self::AskJetStream,
        Self::Echo,
        Self::OwnRights,
        Self::HearStats,
        Self::HearStops,
        Self::HearRefusals,
        Self::HearClients,
        Self::PublishAlerts,
        Self::PublishSilenced,
        Self::PublishEvents,
        Self::WriteState,
        Self::ReadState,
        Self::Lease,
        Self::FindStreams,
        Self::CreateStreams,
        Self::CheckStored,
        Self::ReadHistory,
        Self::Follow,
    ];

    /// One word, as a label of counters and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Beats => "beats",
            Self::AskStats => "ask_stats",
            Self::AskGateways => "ask_gateways",
            Self::AskConfig => "ask_config",
            Self::AskJetStream => "ask_jetstream",
            Self::Echo => "echo",
            Self::OwnRights => "own_rights",
            Self::HearStats => "hear_stats",
            Self::HearStops => "hear_stops",
            Self::HearRefusals => "hear_refusals",
            Self::HearClients => "hear_clients",
            Self::PublishAlerts => "publish_alerts",
            Self::PublishSilenced => "publish_silenced",
            Self::PublishEvents => "publish_events",
            Self::WriteState => "write_state",
            Self::ReadState => "read_state",
            Self::Lease => "lease",
            Self::FindStreams => "find_streams",
            Self::CreateStreams => "create_streams",
            Self::CheckStored => "check_stored",
            Self::ReadHistory => "read_history",
            Self::Follow => "follow",
        }
    }

    /// What it is for, for the comment beside it.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Answers => "answers to what is asked",
            Self::Beats => "beats",
            Self::AskStats => "statistics, and whether this is the system account",
            Self::AskGateways => "gateway connections",
            Self::AskConfig => "configuration, discovery",
            Self::AskJetStream => "mirrors and sources across links",
            Self::Echo => "messages to itself: is the connection alive?",
            Self::OwnRights => "naming missing permissions at start",
            Self::HearStats => "statistics that servers broadcast",
            Self::HearStops => "servers that leave by plan",
            Self::HearRefusals => "refused gateway logins, as causes",
            Self::HearClients => "client connections around an incident",
            Self::PublishAlerts => "alerts",
            Self::PublishSilenced => "silenced incidents",
            Self::PublishEvents => "events",
            Self::WriteState => "current state, silence and forget",
            Self::ReadState => "state after a restart, silences, status",
            Self::Lease => "which of several gatewatch speaks",
            Self::FindStreams => "whether streams exist, and answer",
            Self::CreateStreams => "creating what is missing",
            Self::CheckStored => "what was stored before a crash",
            Self::ReadHistory => "incidents",
            Self::Follow => "watch",
        }
    }

    /// What is lost without it.
    #[must_use]
    pub const fn without(self) -> &'static str {
        match self {
            Self::Answers => "no answer is heard, so nothing can be asked of servers or kept in JetStream",
            Self::Beats => {
                "beats off, basis reports: a link that silently drops packets is found by the servers' reports only, after tens of seconds"
            }
            Self::AskStats => {
                "servers are not asked for statistics: what they broadcast every 10 s must do, and suspicions are confirmed later"
            }
            Self::AskGateways => {
                "gateway connections are not looked at: causes, traffic rates, interest and half-open links are not told"
            }
            Self::AskConfig => {
                "the configuration of servers is unknown: other clusters are not discovered (give them as [[vantage]]), configured links \
                 that never came up and drift are not found"
            }
            Self::AskJetStream => {
                "streams are not looked at: mirrors and sources across a cut link are not told"
            }
            Self::Echo => "a dead connection of ours is noticed after some 15 s instead of 1.5 s",
            Self::OwnRights => "missing permissions are noticed only once they are needed",
            Self::HearStats => {
                "the statistics that servers broadcast are not heard: new servers and lost links are noticed by surveys only"
            }
            Self::HearStops => "servers that leave by plan are told as lost",
            Self::HearRefusals => "refused logins are not told as a cause",
            Self::HearClients => "client connections around an incident are not counted",
            Self::PublishAlerts => "alerts are neither heard nor stored: nobody is told of incidents",
            Self::PublishSilenced => "silenced incidents are neither heard nor stored",
            Self::PublishEvents => "events are neither heard nor stored",
            Self::WriteState => {
                "the state is not kept: `status` shows nothing new, and after a restart open incidents are told anew"
            }
            Self::ReadState => {
                "the state of a former life is not read, nor silences and requests to forget: after a restart open incidents are told anew"
            }
            Self::Lease => "no lease: of several gatewatch every one speaks",
            Self::FindStreams => {
                "whether the streams exist cannot be told: nothing is created, storing is tried blindly"
            }
            Self::CreateStreams => {
                "missing streams are not created: create them by hand, see `gatewatch permissions`"
            }
            Self::CheckStored => "what was sent just before a crash may be stored twice",
            Self::ReadHistory => "the history cannot be read",
            Self::Follow => "`gatewatch watch` hears nothing",
        }
    }

    /// Whether a daemon is less than whole without it. Streams may have been made by somebody else, and following is for people.
    #[must_use]
    pub const fn is_needed_to_run(self) -> bool {
        !matches!(self, Self::CreateStreams | Self::ReadHistory | Self::Follow)
    }
}
