//! The files and directories that the configuration names on this machine.

use std::fs::File;
use std::path::Path;

use herd_config::{ClientCertificates, Config};
use nix::unistd::{AccessFlags, access};

use super::finding::{About, Finding, Level};

pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![directory("data_dir", &config.data_dir)];
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
