// Package policy decides what may be signed at all: one strict file that people
// agree on in calm times says which thresholds, dates, keys and changes are
// acceptable, and how many people it takes to do otherwise.
//
// Its promise: a Policy that exists was read from bytes without a field, name
// or value that is not understood, and Check says every rule that a plan
// breaks. The file's digest belongs into the record of each ceremony.
//
// # The file
//
// JSON of at most 64 KiB, names in snake_case, each once; unknown names, null
// and anything after the value are refused. What is left out is not limited.
//
//	format              always "conclave-policy/1"
//	name                whose policy this is, for people
//	roles               limits for "root", "targets", "snapshot", "timestamp";
//	                    "delegated" is for every delegated role
//	  min_threshold     the least number of keys that must sign
//	  min_spare_keys    how many keys more than the threshold a role must have:
//	                    1 for root means that one lost token ends nothing
//	  min_expiry_days   a new document must live so long from now at least
//	  max_expiry_days   and so long at most
//	key_schemes         the only schemes that a listed key may have
//	attestation_required, pin_required, touch_required
//	                    what must be proved of the token of every key that joins
//	                    root, targets or a delegated role
//	keep_delegations    roles to which targets must always delegate
//	max_keys_changed    the most keys that join, or leave, roles at once
//	max_targets_removed the most files that one document may drop at once
//	compat_rules        compatibility rules (tuf.CompatRules) that must hold; client-simulation
//	                    and root-walk are looked at once everything is signed
//	exception_people    how many people must record an exception, by rule;
//	                    "default" is for all others, 0 means that none is possible;
//	                    in earnest a ceremony takes two at least
//
// The rules are: threshold, spare-keys, expiry, key-scheme, attestation, pin,
// touch, keep-delegations, keys-changed, targets-removed, and each name in
// compat_rules.
//
// An example:
//
//	{
//	  "format": "conclave-policy/1",
//	  "name": "example.org releases",
//	  "roles": {
//	    "root": {"min_threshold": 3, "min_spare_keys": 2, "min_expiry_days": 90, "max_expiry_days": 400},
//	    "targets": {"min_threshold": 2, "min_spare_keys": 1, "min_expiry_days": 14, "max_expiry_days": 120},
//	    "snapshot": {"min_threshold": 1, "max_expiry_days": 31},
//	    "timestamp": {"min_threshold": 1, "max_expiry_days": 7},
//	    "delegated": {"min_threshold": 1, "max_expiry_days": 400}
//	  },
//	  "key_schemes": ["ecdsa-sha2-nistp256"],
//	  "attestation_required": true,
//	  "pin_required": true,
//	  "touch_required": true,
//	  "keep_delegations": ["plugins"],
//	  "max_keys_changed": 2,
//	  "max_targets_removed": 20,
//	  "compat_rules": ["keyid-is-hash", "key-listed-once", "keytype", "curve", "client-simulation"],
//	  "exception_people": {"default": 2, "threshold": 3, "key-listed-once": 0}
//	}
package policy
