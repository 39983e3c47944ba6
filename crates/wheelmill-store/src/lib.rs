//! Content-addressed wheels, the build history and what a cell resolved to (SQLite).
