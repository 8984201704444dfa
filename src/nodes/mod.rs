//! The scheduler and the simulated nodes.
