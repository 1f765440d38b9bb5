#include "cli/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t asked; /* the signal */
static void (*volatile undo)(void);

static void ask(int signal)
{
	if (asked) {
		if (undo)
			undo();
		_exit(128 + signal);
	}
	asked = signal;
}

void stop_catch(void)
{
	struct sigaction on = {.sa_handler = ask};

	sigemptyset(&on.sa_mask);
	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
}

bool stop_asked(void)
{
	return asked != 0;
}

int stop_exit(void)
{
	return 128 + asked;
}

void stop_undo(void (*fn)(void))
{
	undo = fn;
}

static void mask(int how)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	pthread_sigmask(how, &ends, NULL);
}

void stop_hold(void)
{
	mask(SIG_BLOCK);
}

void stop_release(void)
{
	mask(SIG_UNBLOCK);
}
