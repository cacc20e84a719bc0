//! Closed sets of words: the model's enums, spelled as their tokens.

use crate::model::incident::{CauseKind, Confidence, Direction, IncidentKind, Severity, Stage};
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
        ServerLost: "A server is silent while its cluster is heard.",
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
        Silent: "The servers fell silent without a word: crashed, killed or frozen.",
        PacketsLost: "The servers still list the link while nothing crosses it: packets are dropped on the way.",
        ConnectionsClosed: "The servers know that the link is gone: its connections were closed or refused.",
        OwnView: "The connection of gatewatch broke, not theirs.",
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
        Other: "Anything else.",
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
        for word in BasisWord::ALL {
            assert_eq!(spelled(word), Basis::from(*word).token());
        }
    }
}
