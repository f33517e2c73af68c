//go:build !linux

package transfer

import (
	"os"
	"runtime"
)

// foldersSync: Windows writes names through and cannot sync a folder.
const foldersSync = runtime.GOOS != "windows"

var renameWays = []renameWay{linkNew, claimNew}

// dropCache has no counterpart here: the file is read back through the system's memory.
func dropCache(*os.File) {}
