package envelope

// skeleton is what every bundle says. It stands in front of the bases of a patch, so that it need
// not be sent. It is part of the format and never changes: where bundles say something new, a
// new codec has a new skeleton.
const skeleton = `{
"format":1,
"type":"conclave-bundle",
"purpose":"release root signing ",
"created":"2026-01-01T00:00:00Z",
"practice":true,
"practice":false,
"plan":{"holders":[{"name":"Alice","root":true,"targets":true},{"name":"Bob","root":true,"targets":false}],"root_threshold":3,"targets_threshold":2,"algorithm":"p256","snapshot":["","MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"],"timestamp":["MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"],"root_expires":"2027-01-01T00:00:00Z","targets_expires":"2026-04-01T00:00:00Z","files":[{"path":"","length":1000,"sha256":"0"}]},
"base":{"roots":[],"documents":[],"seen":{"root":1}},
"tokens":[
{"keyid":"","serial":1,"firmware":"5.7.1","holder":"","slot":"9c","pin_policy":"always","touch_policy":"always","leaf":"MIIC","device":"MIIC"}
],
"record":{"entries":10,"hash":"0"}
"base":{"roots":[{
 "signatures": [
  {
   "keyid": "0",
   "sig": "3045022100"
  },
  {
   "keyid": "0",
   "sig": "304402200"
  }
 ],
 "signed": {
  "_type": "targets",
  "expires": "2026-04-01T00:00:00Z",
  "spec_version": "1.0.31",
  "targets": {
   "0": {
    "hashes": {
     "sha256": "0"
    },
    "length": 1000
   },
  "version": 1
 }
}}],"seen":{"root":1,"snapshot":1,"targets":1,"timestamp":1}},
"documents":[
{"role":"root","metadata":{
 "signatures": [],
 "signed": {
  "_type": "root",
  "consistent_snapshot": true,
  "expires": "2027-01-01T00:00:00Z",
  "keys": {
   "0": {
    "keytype": "ecdsa",
    "keyval": {
     "public": "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
-----END PUBLIC KEY-----\n"
    },
    "scheme": "ecdsa-sha2-nistp256"
   },
   "0": {
    "keytype": "ed25519",
    "keyval": {
     "public": "0"
    },
    "scheme": "ed25519"
   }
  },
  "roles": {
   "root": {
    "keyids": [
     "0",
     "0"
    ],
    "threshold": 2
   },
   "snapshot": {
    "keyids": [
     "0"
    ],
    "threshold": 1
   },
   "targets": {
    "keyids": [
     "0"
    ],
    "threshold": 2
   },
   "timestamp": {
    "keyids": [
     "0"
    ],
    "threshold": 1
   }
  },
  "spec_version": "1.0.31",
  "version": 2,
  "x-conclave-holders": {
   "0": {
    "name": "",
    "purpose": "primary",
    "serial": 1
   },
   "0": {
    "name": "",
    "purpose": "backup",
    "serial": 1
   }
  }
 }
}},
{"role":"targets","metadata":{
 "signatures": [],
 "signed": {
  "_type": "targets",
  "delegations": {
   "keys": {},
   "roles": [
    {
     "keyids": [],
     "name": "",
     "paths": [],
     "terminating": false,
     "threshold": 1
    }
   ]
  },
  "expires": "2026-04-01T00:00:00Z",
  "spec_version": "1.0.31",
  "targets": {},
  "version": 2
 }
}}
]
}
`
