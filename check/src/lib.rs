//! Health checkers and virtual servers.
