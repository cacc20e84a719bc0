//! Closed sets of words: the model's enums, spelled as their tokens.

use crate::model::cause::{CauseKind, Confidence};
use crate::model::evidence::{ConfigItem, ProbeWord};
use crate::model::health::{Ailment, Lack};
use crate::model::impact::CopyRole;
use crate::model::incident::{Direction, IncidentKind, Severity, Stage};
use crate::model::observation::Disconnect;
use crate::model::states::{Basis, Departure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $model:ident { $($variant:ident: $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = $text] $variant),+
        }

        impl $name {
            /// Every word.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl From<$model> for $name {
            fn from(value: $model) -> Self {
                match value { $($model::$variant => Self::$variant),+ }
            }
        }

        impl From<$name> for $model {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant),+ }
            }
        }
    };
}

words! {
    /// What kind of incident it is, in order of precedence.
    KindWord = IncidentKind {
        VantageLost: "gatewatch is blind in a cluster and says nothing else about it.",
        ClusterOffline: "No server of a cluster is left.",
        ClusterIsolated: "A cluster is alive but cut off from every other one.",
        GatewayDown: "A pair of clusters is cut, in both directions or in one.",
        GatewayDegraded: "Some servers are cut off from a remote cluster.",
        GatewayFlapping: "Links between two clusters break and come back again and again.",
        ServerLost: "A server is silent while its cluster is heard.",
        GatewayNeverUp: "A link that is configured or expected has never been up.",
        GatewayUnwanted: "A link exists that must not, by what gatewatch was told to expect.",
        GatewayRemoved: "A link that was there is no longer configured by anybody.",
        ConfigDrift: "The gateway configurations of servers contradict each other.",
        CertificateExpiring: "A gateway certificate ends soon, or has ended.",
        SingleUrl: "Servers know a remote cluster by a single address.",
        ClockSkew: "The clock of a server is wrong.",
        MixedVersions: "Servers of a cluster run different versions.",
        RoutesIncomplete: "Servers of a cluster are not all connected with each other.",
        GatewatchImpaired: "Something is wrong with gatewatch itself, not with any cluster.",
    }
}
words! {
    /// How urgent an incident is.
    SeverityWord = Severity {
        Info: "Worth knowing.",
        Warning: "Look at it soon: part of the traffic is lost, or redundancy is.",
        Critical: "Wake somebody: clusters are cut off from each other.",
    }
}
words! {
    /// What happened to an incident.
    StageWord = Stage {
        Opened: "It was opened.",
        Updated: "It grew, shrank or is better understood.",
        Resolved: "The good state has lasted, or another incident took it in.",
    }
}
words! {
    /// Why it probably happened.
    CauseWord = CauseKind {
        PlannedStop: "The servers said that they shut down.",
        Silent: "The servers fell silent without a word: crashed, killed or frozen, which of them cannot be told.",
        Crashed: "The servers fell silent and their hosts refuse connections: the processes are gone.",
        Frozen: "The servers fell silent, yet connections to them stay open: the processes stand still.",
        PacketsLost: "The servers still list the link while nothing crosses it: packets are dropped on the way.",
        ConnectionsClosed: "The servers know that the link is gone: its connections were closed or refused.",
        PortRefused: "The gateway's address refuses connections although servers of that cluster live.",
        TlsExpired: "A gateway certificate is past its end.",
        TlsUntrusted: "A gateway certificate is not signed by an authority that the other side trusts.",
        TlsName: "A gateway certificate does not name the host that is dialled.",
        Dns: "The host name of the remote's gateways does not resolve.",
        Authentication: "A server refused the gateway's credentials.",
        ConfigRemoved: "The configuration no longer names the remote.",
        ConfigRejected: "The remote does not know the cluster and rejects unknown ones.",
        ConfigMisnamed: "The configuration names a remote that does not exist, by what looks like a misspelling.",
        NeverConnected: "Configured, but never up, and nothing tells why.",
        LocalToServer: "Only one server has the trouble, its neighbours do not.",
        OwnView: "The connection of gatewatch broke, not theirs.",
        Configuration: "The configuration itself is what the incident is about.",
        Clock: "The clock of a host is wrong.",
        Stalled: "gatewatch itself did not run.",
        Behind: "gatewatch does not keep up with what it hears.",
        Publishing: "Alerts of gatewatch are refused, or its connection for them is not there.",
        Outbox: "What gatewatch has to store cannot be kept on its disk, or waits for long.",
        ClockJumped: "The clock of the host of gatewatch was set.",
        Unknown: "The evidence does not tell.",
    }
}
words! {
    /// How sure a cause is.
    ConfidenceWord = Confidence {
        Proven: "The evidence admits nothing else.",
        Likely: "Nothing else fits as well.",
        Possible: "It fits, as others would.",
    }
}
words! {
    /// How a cluster went offline.
    DepartureWord = Departure {
        Planned: "Every server said that it shut down.",
        Crash: "The servers fell silent without a word.",
    }
}
words! {
    /// What a verdict about a link rests on.
    BasisWord = Basis {
        Beats: "Answers of the servers heard, or missed, by gatewatch itself: exact, within a second.",
        Reports: "What the servers say of themselves: up to 42 s late when packets are lost silently.",
    }
}
words! {
    /// Why a connection of gatewatch is not there.
    DisconnectWord = Disconnect {
        Lost: "An established connection ended.",
        Refused: "Every address refused the connection.",
        TimedOut: "No answer in time.",
        Unauthorized: "The server did not accept the credentials.",
        WrongCluster: "The connection led into another cluster.",
        Tls: "The TLS handshake failed: certificate, name or authority.",
        Other: "Anything else.",
    }
}

words! {
    /// What the host of gatewatch found at a gateway address.
    ProbeFoundWord = ProbeWord {
        Unresolved: "The host name does not resolve.",
        Unreachable: "No answer to the connection in time.",
        Refused: "The connection is refused.",
        Silent: "Connected, but nothing was said in time.",
        Foreign: "It is no gateway.",
        OtherGateway: "It is the gateway of another cluster.",
        TlsFailed: "The TLS handshake failed before a certificate was seen.",
        Expired: "The certificate has ended.",
        WrongName: "The certificate does not name the host.",
        Untrusted: "The certificate is not signed by an authority that is trusted, or by another one than those of other gateways.",
        Sound: "Nothing is wrong with it, as far as can be seen from there.",
    }
}
words! {
    /// A part of a gateway configuration in which servers of one cluster should agree.
    ConfigItemWord = ConfigItem {
        Remotes: "The remote clusters.",
        Urls: "The addresses of a remote cluster.",
        RejectUnknown: "Whether unknown clusters are rejected.",
    }
}
words! {
    /// How a stream copies another.
    CopyRoleWord = CopyRole {
        Mirror: "It is a mirror: the same messages under the same numbers.",
        Source: "It takes messages of this and maybe other streams in.",
    }
}

words! {
    /// What is wrong with gatewatch itself.
    AilmentWord = Ailment {
        Stalled: "It did not run for a while.",
        Behind: "It does not keep up with what it hears: facts were dropped.",
        Publishing: "Alerts are refused, or the connection for them is not there.",
        Outbox: "What waits to be stored cannot be kept on disk, or grows and grows.",
        ClockJumped: "The clock on the wall was set.",
    }
}
words! {
    /// What gatewatch lacks to do its work.
    LackWord = Lack {
        Starting: "It has not heard any server yet.",
        Stuck: "Its one loop does not turn.",
        Blind: "None of its connections hears its cluster.",
        Mute: "The connection to the alert account is not there.",
    }
}

/// Which way a pair of clusters is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DirectionWord {
    /// Nothing crosses in either direction.
    Both,
    /// Only the direction of the one link in the scope is cut.
    OneWay,
}

impl From<&Direction> for DirectionWord {
    fn from(direction: &Direction) -> Self {
        match direction {
            Direction::Both => Self::Both,
            Direction::OneWay(_) => Self::OneWay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled<T: Serialize>(word: &T) -> String {
        serde_json::to_value(word).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn words_are_spelled_as_the_tokens_of_the_model() {
        for word in KindWord::ALL {
            assert_eq!(spelled(word), IncidentKind::from(*word).token());
        }
        for word in SeverityWord::ALL {
            assert_eq!(spelled(word), Severity::from(*word).token());
        }
        for word in StageWord::ALL {
            assert_eq!(spelled(word), Stage::from(*word).token());
        }
        for word in CauseWord::ALL {
            assert_eq!(spelled(word), CauseKind::from(*word).token());
        }
        for word in ConfidenceWord::ALL {
            assert_eq!(spelled(word), Confidence::from(*word).token());
        }
        for word in DepartureWord::ALL {
            assert_eq!(spelled(word), Departure::from(*word).token());
        }
        for word in ProbeFoundWord::ALL {
            assert_eq!(spelled(word), ProbeWord::from(*word).token());
        }
        for word in ConfigItemWord::ALL {
            assert_eq!(spelled(word), ConfigItem::from(*word).token());
        }
        for word in CopyRoleWord::ALL {
            assert_eq!(spelled(word), CopyRole::from(*word).token());
        }
        for word in AilmentWord::ALL {
            assert_eq!(spelled(word), Ailment::from(*word).token());
        }
        for word in LackWord::ALL {
            assert_eq!(spelled(word), Lack::from(*word).token());
        }
        for word in BasisWord::ALL {
            assert_eq!(spelled(word), Basis::from(*word).token());
        }
    }
}
