#include "cli/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void ask(int signal)
{
	(void)signal;
	asked = 1;
}

void stop_catch(void)
{
	struct sigaction on = {
		.sa_handler = ask, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&on.sa_mask);
	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
}

bool stop_asked(void)
{
	return asked;
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
