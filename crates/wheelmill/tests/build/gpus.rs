//! Builds that are to have GPUs, on a machine with a driver of the test's own.

use std::process::Command;

use crate::place::{Ended, Place};

/// Shows a driver of 2023 to what is started: the module's version, and the tool.
const DRIVER: &str = r#"
mkdir "$0" && cat >"$0/nvidia-smi" <<'TOOL'
#!/bin/sh
case "$1" in
--query-gpu*) echo '535.129.03, NVIDIA A100-SXM4-40GB, GPU-1f, 8.0' ;;
*) echo '| NVIDIA-SMI 535.129.03   Driver Version: 535.129.03   CUDA Version: 12.2     |' ;;
esac
TOOL
chmod 755 "$0/nvidia-smi"
mount --bind "$0" /usr/local/bin
mount -t tmpfs tmpfs /sys/module
mkdir /sys/module/nvidia
echo 535.129.03 >/sys/module/nvidia/version
exec "$@"
"#;

#[test]
fn a_driver_that_is_too_old_ends_a_build_before_anything_is_fetched() {
    let place = Place::with("environment = { NVIDIA_VISIBLE_DEVICES = \"all\" }");
    let program = env!("CARGO_BIN_EXE_wheelmill");
    let run = |arguments: &str, tools: &str| {
        let mut command = Command::new("unshare");
        place.prepare(&mut command);
        let tools = place.path().join(tools);
        command.args(["--mount", "sh", "-euc", DRIVER, tools.as_str(), program]);
        command.args(arguments.split(' ')).output().unwrap()
    };
    let output = run("build tinycuda --cuda 13.0 --arch 9.0 --json", "tools");
    if String::from_utf8_lossy(&output.stderr).contains("unshare failed") {
        assert!(std::env::var_os("WHEELMILL_CI").is_none(), "no mounts of our own can be made");
        eprintln!("NOT TESTED: no mounts of our own can be made");
        return;
    }
    let ended = Ended::of(output).expect(1);
    let failure = &ended.cell()["failure"];
    assert_eq!((&failure["cause"], &failure["phase"]), (&"no-gpu".into(), &"preflight".into()));
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("`cuda>=13.0`") && message.contains("driver 535.129.03"), "{message}");

    // The plan says the same before.
    let output = run("plan tinycuda --cuda 13.0 --arch 9.0 --check --json", "more-tools");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = document["checks"].as_array().unwrap();
    let driver = checks.iter().find(|check| check["code"] == "driver").unwrap();
    assert_eq!(driver["state"], "problem");
    assert!(driver["message"].as_str().unwrap().contains("`cuda>=13.0`"), "{driver}");
}
