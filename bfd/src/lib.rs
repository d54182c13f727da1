//! Bidirectional forwarding detection.
