// Package pcscdtest holds tests that go through the real pcscd: virtual
// tokens sit in the readers of vsmartcard's vpcd driver, and between them and
// Conclave is everything that is between it and a YubiKey, but for USB.
//
// It has tests only. They need Linux, pcscd, vsmartcard-vpcd, yubico-piv-tool,
// pkcs11-tool (opensc) and openssl, and a process that may make namespaces of
// its own: pcscd's socket has a fixed path and vpcd listens on all addresses,
// so both are kept away from the rest of the machine. Where something is
// missing the tests are skipped, but fail when CI=true.
package pcscdtest
