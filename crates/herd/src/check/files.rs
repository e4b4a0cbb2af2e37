//! This machine: the files and directories that the configuration names, and how many files may be
//! open.

use std::fs::File;
use std::path::Path;

use herd_config::{ClientCertificates, Config};
use nix::unistd::{AccessFlags, access};

use super::finding::{About, Finding, Level};
use crate::open_files;

pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![open_files(config), directory("data_dir", &config.data_dir)];
    if let Some(path) = &config.listen.unix_directory {
        findings.push(directory("listen.unix_directory", path));
    }
    if let Some(tls) = &config.tls {
        findings.push(readable("tls.certificate", &tls.certificate));
        findings.push(readable("tls.key", &tls.key));
        match &tls.client_certificates {
            ClientCertificates::Ignored => {}
            ClientCertificates::Allowed { authority }
            | ClientCertificates::Required { authority } => {
                findings.push(readable("tls.client_authority", authority));
            }
        }
    }
    findings
}

fn open_files(config: &Config) -> Finding {
    let needed = open_files::needed(config);
    match open_files::raise() {
        Ok(limit) if limit >= needed => {
            Finding::new(About::Machine, Level::Fine, format!("{limit} files may be open"))
        }
        Ok(limit) => {
            let text = format!(
                "{limit} files may be open, but limits.clients_max = {} and the server connections \
                 take up to {needed}: raise the limit (ulimit -Hn, or LimitNOFILE of the service), \
                 or lower limits.clients_max",
                config.limits.clients_max
            );
            Finding::new(About::Machine, Level::Note, text)
        }
        Err(error) => {
            let text = format!("the limit of open files cannot be raised: {error}");
            Finding::new(About::Machine, Level::Note, text)
        }
    }
}

fn directory(key: &str, path: &Path) -> Finding {
    let shown = path.display();
    if !path.is_dir() {
        let text = format!("{key} = {shown} is not a directory: make it");
        return Finding::new(About::Machine, Level::Problem, text);
    }
    match access(path, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => Finding::new(About::Machine, Level::Fine, format!("{key} = {shown} is writable")),
        Err(error) => {
            let text = format!("{key} = {shown} is not writable for this user: {error}");
            Finding::new(About::Machine, Level::Problem, text)
        }
    }
}

fn readable(key: &str, path: &Path) -> Finding {
    let shown = path.display();
    match File::open(path) {
        Ok(_) => Finding::new(About::Machine, Level::Fine, format!("{key} = {shown} is readable")),
        Err(error) => {
            let text = format!("{key} = {shown} cannot be read: {error}");
            Finding::new(About::Machine, Level::Problem, text)
        }
    }
}
