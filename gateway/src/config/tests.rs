use super::*;

const EXAMPLE: &str = include_str!("../../config/ehc-gateway.example.toml");
const PARTNERS: &str = include_str!("../../config/partners.example.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/ehc/ehc-gateway.toml"), text)
}

fn parse_partners(text: &str) -> Result<Partners, ConfigError> {
    Partners::parse(Path::new("/etc/ehc/partners.toml"), text)
}

/// The example with one piece replaced, and what is said about it.
fn complaint(from: &str, to: &str) -> String {
    assert!(EXAMPLE.contains(from), "{from}");
    parse(&EXAMPLE.replacen(from, to, 1)).expect_err("refused").to_string()
}

fn partner_complaint(from: &str, to: &str) -> String {
    assert!(PARTNERS.contains(from), "{from}");
    parse_partners(&PARTNERS.replacen(from, to, 1)).expect_err("refused").to_string()
}

fn line_of(text: &str, needle: &str) -> usize {
    text.lines().position(|line| line.contains(needle)).expect("a line") + 1
}

#[test]
fn the_example_is_a_configuration() {
    let config = parse(EXAMPLE).expect("the example parses");
    assert_eq!(config.gateway.organisation.as_str(), "QHL");
    assert_eq!(config.tls.key, Path::new("/etc/ehc/pki/gateway/key.pem"));
    let path = PathBuf::from("/etc/ehc/data/gateway.db");
    assert_eq!(config.store, StoreSection::Sqlite { path });
}

#[test]
fn the_example_shows_the_defaults() {
    let shown = parse(EXAMPLE).expect("the example parses");
    let required = ["organisation", "name", "certificate", "key", "client_authorities", "wrapping"];
    let required = [&required[..], &["log_signing", "pseudonym", "partners", "["]].concat();
    let bare: Vec<&str> = EXAMPLE
        .lines()
        .filter(|line| required.iter().any(|setting| line.starts_with(setting)))
        .collect();
    let bare = parse(&bare.join("\n")).expect("what is required is enough");
    let plain = |config: &Config| {
        let mut config = config.clone();
        config.document = Document::new(Path::new(""), String::new());
        config.tls.revocation_lists = Vec::new();
        format!("{config:?}")
    };
    assert_eq!(plain(&shown), plain(&bare));
}

#[test]
fn an_unknown_setting_is_refused_with_a_suggestion() {
    let complaint = complaint("max_connections = 1024", "max_conections = 1024");
    let line = line_of(EXAMPLE, "max_connections = 1024");
    assert!(complaint.starts_with(&format!("/etc/ehc/ehc-gateway.toml:{line}:1: ")), "{complaint}");
    assert!(complaint.ends_with("did you mean `max_connections`?"), "{complaint}");
}

#[test]
fn a_missing_setting_is_named() {
    let complaint = complaint("wrapping = \"keys/wrapping.keys\"", "");
    assert!(complaint.contains("add `wrapping = ...`"), "{complaint}");
}

#[test]
fn a_value_of_the_wrong_type_is_placed() {
    let complaint = complaint("lease_seconds = 120", "lease_seconds = \"long\"");
    let line = line_of(EXAMPLE, "lease_seconds = 120");
    assert!(complaint.contains(&format!(":{line}:17: ")), "{complaint}");
}

#[test]
fn health_is_never_served_off_the_machine() {
    let complaint = complaint("\"127.0.0.1:9443\"", "\"0.0.0.0:9443\"");
    let line = line_of(EXAMPLE, "127.0.0.1:9443");
    assert!(complaint.contains(&format!(":{line}:16: ")), "{complaint}");
    assert!(complaint.contains("loopback"), "{complaint}");
}

#[test]
fn a_lease_must_outlast_an_attempt() {
    let complaint = complaint("lease_seconds = 120", "lease_seconds = 40");
    assert!(complaint.contains("more than 40 seconds"), "{complaint}");
}

#[test]
fn a_timeout_of_nothing_is_refused() {
    complaint("handshake_timeout_seconds = 10", "handshake_timeout_seconds = 0");
}

#[test]
fn engines_do_not_share_their_settings() {
    let found = complaint("engine = \"sqlite\"", "engine = \"postgres\"");
    assert!(found.contains("postgres has no path"), "{found}");
    let found = complaint("engine = \"sqlite\"", "engine = \"postgresql\"");
    assert!(found.contains("did you mean `postgres`?"), "{found}");
    let found = complaint("path = \"data/gateway.db\"", "url_file = \"url\"");
    assert!(found.contains("sqlite has no url_file"), "{found}");
}

#[test]
fn broken_toml_is_placed() {
    let complaint = complaint("[store]", "[store");
    let line = line_of(EXAMPLE, "[store]");
    assert!(complaint.contains(&format!("ehc-gateway.toml:{line}:")), "{complaint}");
}

#[test]
fn a_missing_file_is_reported_by_its_path() {
    let error = Config::load(Path::new("/nowhere/ehc-gateway.toml")).expect_err("refused");
    assert!(error.to_string().starts_with("/nowhere/ehc-gateway.toml could not be read"));
}

#[cfg(unix)]
#[test]
fn files_that_are_missing_or_open_to_others_are_reported_with_their_line() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ehc-gateway.toml");
    std::fs::create_dir_all(folder.path().join("keys")).expect("a folder");
    let key = folder.path().join("keys/wrapping.keys");
    std::fs::write(&key, "secret").expect("written");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("opened");
    std::fs::write(&file, EXAMPLE).expect("written");
    let faults = Config::load(&file).expect("a configuration").check_files();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 8, "{faults:#?}");
    let line = line_of(EXAMPLE, "wrapping = ");
    let exposed = faults.iter().find(|fault| fault.contains("chmod 600")).expect("reported");
    assert!(exposed.contains(&format!(":{line}:12: ")), "{exposed}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("closed");
    assert_eq!(Config::load(&file).expect("a configuration").check_files().len(), 7);
}

#[test]
fn the_example_partners_are_found_by_key_and_by_code() {
    let partners = parse_partners(PARTNERS).expect("the example parses");
    let trust = OrganisationCode::parse("RRK").expect("a code");
    let trust = partners.by_organisation(&trust).expect("a partner");
    assert_eq!(trust.carrier, crate::queue::CarrierKind::HttpsPush);
    for digit in ["2", "3"] {
        let pin = Pin::parse(&format!("sha256:{}", digit.repeat(64))).expect("a pin");
        assert_eq!(partners.by_pin(&pin), Some(trust));
    }
    assert!(partners.by_pin(&Pin::new([0; 32])).is_none());
}

#[test]
fn a_key_belongs_to_one_partner_only() {
    let complaint = partner_complaint(&"2".repeat(64), &"1".repeat(64));
    assert!(complaint.contains("belongs to two partners"), "{complaint}");
}

#[test]
fn an_organisation_has_one_entry_only() {
    let complaint = partner_complaint("\"RRK\"", "\"334\"");
    let line = line_of(PARTNERS, "\"RRK\"");
    assert!(
        complaint.contains(&format!("partners.toml:{line}:16: 334 is here twice")),
        "{complaint}"
    );
}

#[test]
fn a_mistake_about_a_partner_says_what_to_do() {
    for (from, to, fix) in [
        ("\"health-trust\"]", "\"health-trsut\"]", "did you mean `health-trust`?"),
        ("[\"health-trust\"]", "[]", "add one"),
        ("sha256:2222", "sha256:222", "64 hexadecimal digits"),
        ("https://localhost", "http://localhost", "write https://"),
        ("https://localhost", "https://user:secret@localhost", "write https://"),
        ("endpoint = ", "# ", "add endpoint"),
        ("server_pins = ", "# ", "add the pin"),
        ("carrier = \"https-push\"", "carrier = \"collect\"", "remove it"),
        ("endpoint = \"https://localhost:9556", "# \"", "$process-message"),
        ("server_pins = [\"sha256:6666", "# [\"", "add the pin"),
        ("format = \"fhir-xml\"", "format = \"csv\"", "\"fhir\" or \"fhir-xml\""),
        ("name = \"Practice Borough Council\"", "name = \" \"", "write the"),
        ("format = \"fhir\"", "format = \"edifact\"", "use one of: csv, json, fhir"),
        ("enabled = true", "enabld = true", "did you mean `enabled`?"),
    ] {
        let complaint = partner_complaint(from, to);
        assert!(complaint.contains(fix), "{complaint}");
        assert!(complaint.starts_with("/etc/ehc/partners.toml:"), "{complaint}");
    }
}

#[test]
fn a_mistake_about_mllp_says_what_to_do() {
    for (from, to, fix) in [
        ("mllps://localhost:2575", "mllps://localhost", "write mllps://host:port"),
        ("mllps://localhost:2575", "https://localhost:2575", "write mllps://host:port"),
        ("mllps://localhost:2575", "mllps://localhost:2575/inbox", "write mllps://host:port"),
        ("format = \"hl7\"", "format = \"json\"", "set format"),
        ("endpoint = \"mllps", "# endpoint = \"mllps", "add endpoint"),
        ("carrier = \"mllp\"", "carrier = \"collect\"", "remove it"),
        ("\"guessed-encoding\"]", "\"guesses\"]", "unknown variant"),
        ("\"advice.author_profession\"", "\"subject.sex\"", "says nothing of the person"),
        ("require_hybrid = true", "allow_tls12 = true", "everything else is TLS 1.3"),
    ] {
        let complaint = partner_complaint(from, to);
        assert!(complaint.contains(fix), "{complaint}");
    }
}

#[test]
fn the_mllp_listener_of_the_example_is_one_with_the_defaults() {
    assert!(parse(EXAMPLE).expect("the example parses").mllp.is_none());
    let section: Vec<&str> = EXAMPLE
        .lines()
        .skip_while(|line| *line != "# [mllp]")
        .take_while(|line| !line.is_empty())
        .filter(|line| *line == "# [mllp]" || line.contains(" = "))
        .map(|line| line.trim_start_matches("# "))
        .collect();
    let shown = parse(&format!("{EXAMPLE}\n{}\n", section.join("\n"))).expect("it parses");
    let bare = format!("{EXAMPLE}\n[mllp]\nlisten = \"127.0.0.1:2575\"\n");
    let bare = parse(&bare).expect("it parses");
    assert_eq!(format!("{:?}", shown.mllp), format!("{:?}", bare.mllp));
    let taken = format!("{EXAMPLE}\n[mllp]\nlisten = \"127.0.0.1:8443\"\n");
    let complaint = parse(&taken).expect_err("refused").to_string();
    assert!(complaint.contains("a port of its own"), "{complaint}");
}

/// The example with the trust as a partner that has folders, and these settings about them.
fn with_folders(settings: &str) -> Result<Partners, ConfigError> {
    let second = PARTNERS.match_indices("\n[[partner]]").nth(1).expect("two partners").0;
    let first = PARTNERS.get(..=second).expect("its lines");
    let pin = "2".repeat(64);
    parse_partners(&format!(
        "{first}[[partner]]\norganisation = \"RRK\"\nname = \"A\"\nroles = [\"health-trust\"]\n\
         pins = [\"sha256:{pin}\"]\nformat = \"xlsx\"\n{settings}"
    ))
}

#[test]
fn folders_start_at_the_partners_file_and_are_nobody_elses() {
    let settings =
        "carrier = \"drop-folder\"\nfolder = \"out\"\n[partner.watch]\nfolder = \"/in\"\n";
    let partners = with_folders(settings).expect("folders");
    let trust = OrganisationCode::parse("RRK").expect("a code");
    let trust = partners.by_organisation(&trust).expect("a partner");
    assert_eq!(trust.folder.as_deref(), Some(Path::new("/etc/ehc/out")));
    let watch = trust.watch.as_ref().expect("watched");
    assert_eq!((watch.folder.as_path(), watch.settle_seconds.get()), (Path::new("/in"), 5));
    for (settings, fix) in [
        ("carrier = \"drop-folder\"", "add folder ="),
        ("carrier = \"collect\"\nfolder = \"out\"", "set carrier = \"drop-folder\""),
        ("carrier = \"drop-folder\"\nfolder = \"\"", "write its path"),
        ("carrier = \"drop-folder\"\nfolder = \"out\"\nendpoint = \"https://a/\"", "remove it"),
        (
            "carrier = \"drop-folder\"\nfolder = \"o\"\n[partner.watch]\nfolder = \"o/in\"",
            "its own",
        ),
        ("carrier = \"collect\"\n[partner.watch]\nfolder = \"i\"\nmarker = \"../x\"", "letters"),
        ("carrier = \"collect\"\n[partner.watch]\nfolder = \"i\"\nmarker = \"csv\"", "letters"),
        (
            "carrier = \"collect\"\n[partner.watch]\nfolder = \"i\"\nsetle_seconds = 1",
            "did you mean",
        ),
    ] {
        let complaint = with_folders(settings).expect_err("refused").to_string();
        assert!(complaint.contains(fix), "{complaint}");
    }
    let two = format!(
        "carrier = \"drop-folder\"\nfolder = \"out/a\"\n[[partner]]\norganisation = \"RXT\"\n\
         name = \"B\"\nroles = [\"health-trust\"]\npins = [\"sha256:{}\"]\nformat = \"csv\"\n\
         carrier = \"drop-folder\"\nfolder = \"out\"\n",
        "5".repeat(64)
    );
    let complaint = with_folders(&two).expect_err("refused").to_string();
    assert!(complaint.contains("exchanged already"), "{complaint}");
}

#[test]
fn the_canonical_text_depends_on_content_alone() {
    let partners = parse_partners(PARTNERS).expect("the example parses");
    let (first, second) = PARTNERS.rsplit_once("[[partner]]").expect("two partners");
    let turned = format!("[[partner]]{second}\n{first}");
    let turned = parse_partners(&turned).expect("the same partners");
    assert_eq!(partners.canonical_text(), turned.canonical_text());
    let other = parse_partners(&PARTNERS.replace("\"fhir\"", "\"json\"")).expect("other partners");
    assert_ne!(partners.canonical_text(), other.canonical_text());
}

/// The example with its `[mesh]` section in use, and one piece of that replaced.
fn with_mesh(from: &str, to: &str) -> Result<Config, ConfigError> {
    let start = EXAMPLE.find("# [mesh]").expect("the section");
    let (before, rest) = EXAMPLE.split_at(start);
    let end = rest.find("\n\n").expect("its end");
    let (section, after) = rest.split_at(end);
    let setting = |line: &str| {
        let line = line.strip_prefix("# ").unwrap_or(line);
        let name = line.split(" = ").next().unwrap_or_default();
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let used = line == "[mesh]" || (plain && line.contains(" = "));
        if used { line.to_owned() } else { format!("# {line}") }
    };
    let section: Vec<String> = section.lines().map(setting).collect();
    let section = section.join("\n");
    assert!(section.contains(from), "{from}");
    parse(&format!("{before}{}{after}", section.replacen(from, to, 1)))
}

#[test]
fn the_example_of_a_mailbox_is_a_configuration() {
    let mesh = with_mesh("[mesh]", "[mesh]").expect("it parses").mesh.expect("a mailbox");
    assert_eq!(mesh.mailbox.as_str(), "X26ABC1");
    assert_eq!(mesh.password_file, Path::new("/etc/ehc/secrets/mesh-password"));
    assert_eq!(mesh.poll_seconds.get(), 300);
    let bare = |setting: &str| with_mesh(&format!("\n{setting} = "), &format!("\n# {setting} = "));
    let default = bare("chunk_bytes").expect("it parses").mesh.expect("a mailbox");
    assert_eq!(default.chunk_bytes, mesh.chunk_bytes, "the example shows the default");
    let default = bare("workflows").expect("it parses").mesh.expect("a mailbox");
    assert_eq!(default.workflows.unregistered().len(), 3, "placeholders");
}

#[test]
fn a_mistake_about_the_mailbox_says_where_and_what_to_do() {
    for (from, to, fix) in [
        ("\"X26ABC1\"", "\"x26abc1\"", "write its id in upper-case letters"),
        ("= \"https://msg", "= \"http://msg", "write https://host"),
        (".nhs.uk\"", ".nhs.uk/messageexchange\"", "paths are added by the gateway"),
        ("poll_seconds = 300", "poll_seconds = 60", "use 300 or more"),
        ("poll_seconds = 300", "poll_seconds = 100000", "use 86400 or less"),
        ("chunk_bytes = 78643200", "chunk_bytes = 200000000", "use 1024 to 100000000"),
        ("\"advice.request\" = ", "\"advice.reqest\" = ", "write one, for example"),
        ("\"EHC_MESSAGE\"", "\"EHC MESSAGE\"", "write it as registered"),
        (
            "{ \"advice.request\" = \"EHC_ADVICE_REQ\", \"*\" = \"EHC_MESSAGE\" }",
            "{}",
            "leave the table out",
        ),
        ("= \"fhir\"", "= \"pdf\"", "use one of: csv"),
        ("poll_seconds = 300", "pol_seconds = 300", "did you mean `poll_seconds`?"),
        ("password_file = ", "# ", "add `password_file = ...`"),
    ] {
        let complaint = with_mesh(from, to).expect_err(from).to_string();
        assert!(complaint.contains(fix), "{complaint}");
        assert!(complaint.starts_with("/etc/ehc/ehc-gateway.toml:"), "{complaint}");
    }
    let local = with_mesh("= \"https://msg.intspineservices.nhs.uk", "= \"https://localhost:8701");
    assert!(local.is_ok(), "a server on this machine");
}

#[test]
fn files_of_the_mailbox_must_be_there() {
    let config = with_mesh("[mesh]", "[mesh]").expect("it parses");
    let faults: Vec<String> = config.check_files().iter().map(ToString::to_string).collect();
    for setting in ["password_file", "shared_key_file", "authorities"] {
        assert!(faults.iter().any(|fault| fault.contains(setting)), "{setting}: {faults:#?}");
    }
}

#[test]
fn a_partner_by_mailbox_has_one_of_its_own() {
    let mesh = "carrier = \"mesh\"\nmailbox = \"X26ABC2\"";
    let push = "carrier = \"https-push\"";
    let collect = "carrier = \"collect\"";
    let with = |text: &str, from: &str, to: &str| text.replacen(from, to, 1);
    let base = with(PARTNERS, "carrier = \"drop-folder\"", collect);
    let base = with(&base, "\nfolder = \"/srv/ehc/334/import\"", "");
    let one = parse_partners(&with(&base, collect, mesh)).expect("a partner by mailbox");
    let mailbox = adapters::mesh::Mailbox::parse("X26ABC2").expect("a mailbox");
    assert_eq!(one.by_mailbox(&mailbox).expect("found").organisation.as_str(), "334");
    let missing = parse_partners(&with(&base, collect, "carrier = \"mesh\""));
    let missing = missing.expect_err("refused").to_string();
    assert!(missing.contains("add mailbox = "), "{missing}");
    let endpoint = partner_complaint(push, mesh);
    assert!(endpoint.contains("remove it; parcels go to its mailbox"), "{endpoint}");
    let both = with(&with(&base, collect, mesh), push, &format!("{push}\nmailbox = \"X26ABC2\""));
    let both = parse_partners(&both).expect_err("refused").to_string();
    assert!(both.contains("belongs to two partners"), "{both}");
}

#[test]
fn a_day_closes_at_six_in_the_evening_or_when_it_says() {
    let example = parse(EXAMPLE).expect("the example parses");
    assert_eq!(example.reconciliation.at.to_string(), "18:00:00");
    let earlier = parse(&EXAMPLE.replacen("at = \"18:00\"", "at = \"17:30\"", 1));
    assert_eq!(earlier.expect("it parses").reconciliation.at.to_string(), "17:30:00");
    for wrong in ["six", "6:00", "24:00", "18:60", "18:00:30"] {
        let complaint = complaint("at = \"18:00\"", &format!("at = \"{wrong}\""));
        assert!(complaint.contains("hours and minutes"), "{wrong}: {complaint}");
    }
}
