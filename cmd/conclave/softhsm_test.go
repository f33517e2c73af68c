package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"conclave/transfer/publish/softhsmtest"
)

// softHSMCmd makes a PKCS#11 token: softhsm LABEL PIN. $MODULE is the path of the module that finds it.
func softHSMCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: softhsm LABEL PIN")
	}
	token, err := softhsmtest.New(ts.MkAbs("softhsm"), args[0], args[1])
	ts.Check(err)
	ts.Setenv("SOFTHSM2_CONF", token.Conf)
	ts.Setenv("MODULE", token.Module)
}
