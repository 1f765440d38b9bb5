/*
 * The systemd unit of the service, and the table of the API: what an
 * installation and the docs keep beside the program, made by the program.
 */
#include "cli/cli.h"
#include "cli/remote.h"
#include "server/ops.h"

#include <string.h>

/* Confined to one folder and the network: nothing else is ever needed. */
void print_unit(FILE *f)
{
	fputs("[Unit]\n"
	      "Description=Regatta: policy for Open Policy Agents\n"
	      "Documentation=man:regatta(1)\n"
	      "After=network-online.target\n"
	      "Wants=network-online.target\n\n"
	      "[Service]\n"
	      "# What differs on this host: regatta serve --help\n"
	      "Environment=REGATTA_LISTEN=127.0.0.1:8282\n"
	      "EnvironmentFile=-/etc/default/regatta\n"
	      "ExecStart=/usr/bin/regatta serve --state ${STATE_DIRECTORY} "
	      "--listen ${REGATTA_LISTEN} $REGATTA_ARGS\n"
	      "User=regatta\n"
	      "StateDirectory=regatta\n"
	      "StateDirectoryMode=0700\n"
	      "WorkingDirectory=" SERVICE_STATE "\n"
	      "Restart=on-failure\n"
	      "TimeoutStopSec=30\n"
	      "LimitNOFILE=65536\n"
	      "LimitCORE=0\n"
	      "TasksMax=256\n"
	      "UMask=0077\n\n"
	      "CapabilityBoundingSet=\n"
	      "LockPersonality=yes\n"
	      "MemoryDenyWriteExecute=yes\n"
	      "NoNewPrivileges=yes\n"
	      "PrivateDevices=yes\n"
	      "PrivateTmp=yes\n"
	      "ProtectClock=yes\n"
	      "ProtectControlGroups=yes\n"
	      "ProtectHome=yes\n"
	      "ProtectHostname=yes\n"
	      "ProtectKernelLogs=yes\n"
	      "ProtectKernelModules=yes\n"
	      "ProtectKernelTunables=yes\n"
	      "ProtectSystem=strict\n"
	      "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n"
	      "RestrictNamespaces=yes\n"
	      "RestrictRealtime=yes\n"
	      "RestrictSUIDSGID=yes\n"
	      "SystemCallArchitectures=native\n"
	      "SystemCallFilter=@system-service\n"
	      "SystemCallFilter=~@privileged @resources\n\n"
	      "[Install]\n"
	      "WantedBy=multi-user.target\n",
		f);
}

/* --- the API -------------------------------------------------------------- */

static void print_roles(FILE *f, unsigned roles)
{
	const char *before = "";

	if (!roles)
		fputs("anybody", f);
	for (unsigned role = 1; role < SERVER_EVERYONE; role <<= 1)
		if (roles & role) {
			fprintf(f, "%s%s", before, server_role_name(role));
			before = ", ";
		}
}

static void print_params(FILE *f, const struct op *op)
{
	static const char *const kinds[] = {
		[PARAM_TEXT] = "text",
		[PARAM_BOOL] = "true or false",
		[PARAM_INT] = "number",
		[PARAM_DURATION] = "duration",
		[PARAM_TIME] = "time",
		[PARAM_LIST] = "list",
	};

	for (size_t i = 0; i < op->nparams; i++) {
		const struct op_param *p = &op->params[i];

		fprintf(f, "- `%s` (%s%s): %s\n", p->name, kinds[p->kind],
			p->required ? ", needed" : "", p->help);
	}
	if (op->max_body)
		fprintf(f, "- the body: bytes, at most %zu\n", op->max_body);
}

void print_api(FILE *f)
{
	size_t n;
	const struct op *const *ops = ops_all(&n);

	for (size_t i = 0; i < n; i++) {
		const struct op *op = ops[i];

		fprintf(f, "### `%s %s`\n\n%s. Roles: ", op->method,
			op->pattern, op->summary);
		print_roles(f, op->roles);
		fputs(".\n\n", f);
		print_params(f, op);
		if (op->nparams || op->max_body)
			fputc('\n', f);
	}
}
