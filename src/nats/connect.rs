//! From connection settings to a connected client.
