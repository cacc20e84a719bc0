//! Answers to beats: `{"name","host","id"}`. The hot path: tens of servers, several times a second, at every vantage.

use super::error::{DecodeError, What};
use super::json;
use super::names::Names;
use crate::model::observation::Fact;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Idz<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Decodes an answer to the beat of this number.
pub(super) fn decode(names: &mut Names, number: u64, payload: &[u8]) -> Result<Fact, DecodeError> {
    let idz: Idz<'_> = json::parse(What::Beat, payload)?;
    Ok(Fact::Beat { server: names.id(What::Beat, "the server's id", &idz.id)?, number })
}
