use super::*;

/// The vector published with the MESH API; two independent implementations agree on it. The text
/// is what `adapters::mesh::TokenParts::signed_text` makes.
#[test]
fn a_mesh_token_is_signed_as_the_published_vector_says() {
    let text = "X26ABC1:bd0e2bd5-218e-41d0-83a9-73fdec414803:0:password:202005041305";
    assert_eq!(
        hex(&hmac_sha256(b"TestKey", text.as_bytes())),
        "1d7da1305d2c4f169b097f4e7fddbc8dfba024de2ea0fdee858b64536f2a90bc"
    );
}
