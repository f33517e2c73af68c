/* Waits for readers and cards through libpcsclite and tells what it sees, one
 * line for each call that returns. Driven by statuschange_test.go. */
#include <stdio.h>
#include <string.h>
#include <winscard.h>

static SCARDCONTEXT context;

static void tell(const char *what, LONG rv, DWORD event)
{
	printf("%s %08lx%s%s%s\n", what, (unsigned long)rv & 0xffffffff,
	       event & SCARD_STATE_PRESENT ? " present" : "",
	       event & SCARD_STATE_UNKNOWN ? " unknown" : "",
	       event & SCARD_STATE_CHANGED ? " changed" : "");
	fflush(stdout);
}

static SCARD_READERSTATE wait_for(const char *what, const char *reader, DWORD known, DWORD timeout)
{
	SCARD_READERSTATE state = {0};
	LONG rv;

	state.szReader = reader;
	state.dwCurrentState = known;
	rv = SCardGetStatusChange(context, timeout, &state, 1);
	tell(what, rv, state.dwEventState);
	return state;
}

int main(void)
{
	char names[4096] = "";
	DWORD size = sizeof names;
	SCARD_READERSTATE state;

	tell("establish", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context), 0);
	wait_for("timeout", "\\\\?PnP?\\Notification", SCARD_STATE_UNAWARE, 5);
	wait_for("arrival", "\\\\?PnP?\\Notification", SCARD_STATE_UNAWARE, INFINITE);
	tell("list", SCardListReaders(context, NULL, names, &size), 0);
	printf("reader %s\n", names);
	state = wait_for("state", names, SCARD_STATE_UNAWARE, INFINITE);
	wait_for("removal", names, state.dwEventState & ~SCARD_STATE_CHANGED, INFINITE);
	tell("release", SCardReleaseContext(context), 0);
	return 0;
}
