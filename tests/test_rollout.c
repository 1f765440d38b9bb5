/* A rollout from its start to its end, by itself, with a fleet that acts. */
#include "tests/rollout_site.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* --- good and bad versions ------------------------------------------------ */

static void a_good_version_reaches_all_rings_by_itself(void **state)
{
	struct channel c;

	(void)state;
	fleet_with_v1();
	fleet_start(PLAN, "v2");
	UNTIL(CHANNEL_BAKING, 5);
	c = site_channel("p");
	assert_num(c.ntargets, CANARIES);
	assert_str(c.ring_name, "canary");
	UNTIL(CHANNEL_FLEET_BAKE, 60);
	c = site_channel("p");
	assert_str(c.stable.revision, "v2");
	assert_str(c.last_good.revision, "v1");
	assert_num(c.ntargets, 1);
	UNTIL(CHANNEL_SUCCEEDED, 30);
	c = site_channel("p");
	assert_str(c.last_good.revision, "v2");
	fleet_minutes(1);
	for (unsigned i = 0; i < AGENTS; i++)
		assert_string_equal(fleet.agents[i].revision, "v2");
	site_verify(site.state);
}

/* --- all of them ---------------------------------------------------------- */

#define T(f) cmocka_unit_test_setup_teardown(f, fleet_setup, fleet_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_version_reaches_all_rings_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
