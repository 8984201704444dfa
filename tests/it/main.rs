//! Integration tests: the pure engines against vectors, the layers, and the binary against embedded servers.

mod support;

mod apiserver;
mod apply;
mod cli;
mod clusters;
mod controllers;
mod crash;
mod fuzz;
mod kube_rs;
mod layers;
mod main_job;
mod operations;
mod streams;
mod vectors;
