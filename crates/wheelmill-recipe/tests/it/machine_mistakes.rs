//! Mistakes in what a project file says of daemons and of the machine, each with its place.

use insta::assert_snapshot;

use crate::mistakes::project;

#[test]
fn names_that_no_daemon_takes_are_shown_where_they_stand() {
    let layout = |more: &str| {
        project(&format!(
            "[layout.X]\ncontext = \"c\"\ndockerfile = {{ \"9.0\" = \"d\" }}\n{more}\n"
        ))
    };
    assert_snapshot!(layout("volume = \"bad/vol\""), @r#"
    Value: `bad/vol` is not the name of a volume
      wheelmill.toml:4:11
      | volume = "bad/vol"
      |           ^^^^^^^ this value
      help: use two or more ASCII letters, digits, `_`, `.` and `-`, with a letter or digit in front: `build-vol`; a folder of this machine cannot stand here
    "#);
    for volume in ["", "/abs", "v", ".v"] {
        let said = layout(&format!("volume = \"{volume}\""));
        assert!(said.contains("wheelmill.toml:4:1"), "{said}");
    }
    assert_snapshot!(layout("script = \"scripts/installer.sh\""), @r#"
    Value: `scripts/installer.sh` is not a whole path in the image
      wheelmill.toml:4:11
      | script = "scripts/installer.sh"
      |           ^^^^^^^^^^^^^^^^^^^^ this value
      help: begin it with `/`: `/opt/some/path/installer.sh`
    "#);
    assert_snapshot!(layout("image = { \"9.0\" = \"Tool builder\" }"), @r#"
    Value: `Tool builder` is not a name that an image can get
      wheelmill.toml:4:20
      | image = { "9.0" = "Tool builder" }
      |                    ^^^^^^^^^^^^ this value
      help: use lower case letters and digits, with single `.`, `_`, `-` or `/` between them, and a tag behind `:` if one is wanted: `pytorch90builder:latest`
    "#);
}

#[test]
fn a_machine_that_cannot_be() {
    assert_snapshot!(project("[host]\nnvidia-runtime = 1\n"), @r"
    Value: `true`, or the path of a program is wanted, not a number
      wheelmill.toml:2:18
      | nvidia-runtime = 1
      |                  ^ this value
    ");
    assert_snapshot!(project("[host]\nnvidia-runtime = \"nvidia-container-runtime\"\n"), @r#"
    Value: `nvidia-container-runtime` is not an absolute path
      wheelmill.toml:2:18
      | nvidia-runtime = "nvidia-container-runtime"
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^ this value
      help: write the whole path, without `..`: the daemon has another working folder
    "#);
    assert_snapshot!(project("[host]\ndata-root = \"/mnt/../docker\"\n"), @r#"
    Value: `/mnt/../docker` is not an absolute path
      wheelmill.toml:2:13
      | data-root = "/mnt/../docker"
      |             ^^^^^^^^^^^^^^^^ this value
      help: write the whole path, without `..`: the daemon has another working folder
    "#);
    assert_snapshot!(project("[host]\ndata_root = \"/mnt/docker\"\n"), @r#"
    UnknownKey: `data_root` is not a key that this table knows
      wheelmill.toml:2:1
      | data_root = "/mnt/docker"
      | ^^^^^^^^^ unknown key
      help: did you mean `data-root`?
    "#);
    assert_snapshot!(project("[host]\nbridge-address = \"192.168.5.0/24\"\n"), @r#"
    Value: `192.168.5.0/24` is no address that a machine can have: write one inside, as `192.168.5.1/24`
      wheelmill.toml:2:19
      | bridge-address = "192.168.5.0/24"
      |                   ^^^^^^^^^^^^^^ this value
    "#);
    assert_snapshot!(project("[host]\naddress-pools = [{ base = \"10.201.0.0/16\", size = 8 }]\n"), @r#"
    Value: networks of /8 cannot be cut from `10.201.0.0/16`
      wheelmill.toml:2:18
      | address-pools = [{ base = "10.201.0.0/16", size = 8 }]
      |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this value
      help: `size` is the prefix of each network: from 16 to 30
    "#);
    assert_snapshot!(project("[host]\naddress-pools = [{ base = \"10.201.0.1/16\", size = 24 }]\n"), @r#"
    Value: `10.201.0.1/16` is an address in the network `10.201.0.0/16`: write the network
      wheelmill.toml:2:28
      | address-pools = [{ base = "10.201.0.1/16", size = 24 }]
      |                            ^^^^^^^^^^^^^ this value
    "#);
    assert_snapshot!(project("[host]\nbridge = \"bridge0\"\n"), @r#"
    Combination: the bridge `bridge0` has no address
      wheelmill.toml:2:10
      | bridge = "bridge0"
      |          ^^^^^^^^^ this bridge
      help: add `bridge-address = "192.168.5.1/24"`
    "#);
    assert_snapshot!(project("[host]\nbridge = \"docker0\"\nbridge-address = \"192.168.5.1/24\"\n"), @r#"
    Value: `docker0` is not a bridge of your own
      wheelmill.toml:2:10
      | bridge = "docker0"
      |          ^^^^^^^^^ this value
      help: to move Docker's own bridge, write `bridge-address` alone
    "#);
    assert_snapshot!(project("[host]\nbuild-volume = \"v\"\n"), @r#"
    Value: `v` is not a name for a volume
      wheelmill.toml:2:16
      | build-volume = "v"
      |                ^^^ this value
      help: use at least two letters, digits, `-`, `_` and `.`, a letter or digit first
    "#);
}
