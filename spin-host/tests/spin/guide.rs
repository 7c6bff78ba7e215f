//! The operator's guide shows real output.
