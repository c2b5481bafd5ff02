// SPDX-License-Identifier: GPL-2.0
/*
 * The FPGA manager of the virtual board, for the node that is "pynq,virtual-fpga-manager".
 *
 * /sys/class/fpga_manager/fpga0 as AMD's kernels have it: name, state, status, and firmware, flags and key
 * to load an image by the name of a file below /lib/firmware. With the kernel's FPGA core it is one of its
 * managers (regions can use it); Debian's kernels have no core, so the class is made here, with the core's
 * states. The image is only checksummed: the board's host knows by the sum which design it is.
 */
#include <linux/crc32.h>
#include <linux/delay.h>
#include <linux/firmware.h>
#include <linux/fpga/fpga-mgr.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#define PORT_ID 0x00
#define PORT_COMMAND 0x04
#define PORT_CRC 0x08
#define PORT_SIZE 0x0c
#define PORT_STATUS 0x10
#define PORT_FLAGS 0x14
#define PORT_FAULT 0x1c

#define MANAGER "PYNQ virtual board FPGA Manager"
#define ID 0x51564d31

enum command { COMMAND_BEGIN = 1, COMMAND_COMPLETE = 2, COMMAND_ABORT = 3 };
enum status { STATUS_IDLE = 0, STATUS_CONFIGURING = 1, STATUS_OPERATING = 2, STATUS_ERROR = 3 };
enum fault { FAULT_INIT = 1, FAULT_WRITE = 2, FAULT_COMPLETE = 3, FAULT_TIMEOUT = 4 }; /* set by tests */

static unsigned int timeout_ms = 10000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long the configuration of the logic may take");

struct pynq_fpga {
	struct device *parent;
	void __iomem *port;
	struct mutex lock; /* of key */
	char key[65]; /* hexadecimal; the virtual board decrypts nothing */
	unsigned long flags;
	u32 crc;
	u32 size;
	u64 errors; /* FPGA_MGR_STATUS_... of the last load */
#if !IS_REACHABLE(CONFIG_FPGA)
	struct device dev; /* in the class; its release frees this */
	struct mutex loading; /* who has it uses port, crc, size, state */
	enum fpga_mgr_states state;
#endif
};

static int port_fault(struct pynq_fpga *fpga, enum fault which, const char *step)
{
	if (readl(fpga->port + PORT_FAULT) != which)
		return 0;
	dev_err(fpga->parent, "%s fails, as the board's host wants\n", step);
	writel(COMMAND_ABORT, fpga->port + PORT_COMMAND);
	fpga->errors |= FPGA_MGR_STATUS_OPERATION_ERR;
	return -EIO;
}

static int port_begin(struct pynq_fpga *fpga, u32 flags)
{
	fpga->crc = ~0;
	fpga->size = 0;
	fpga->errors = 0;
	writel(flags, fpga->port + PORT_FLAGS);
	writel(COMMAND_BEGIN, fpga->port + PORT_COMMAND);
	return port_fault(fpga, FAULT_INIT, "the start of a load");
}

static int port_write(struct pynq_fpga *fpga, const char *data, size_t size)
{
	fpga->crc = crc32_le(fpga->crc, data, size);
	fpga->size += size;
	writel(~fpga->crc, fpga->port + PORT_CRC);
	writel(fpga->size, fpga->port + PORT_SIZE);
	return port_fault(fpga, FAULT_WRITE, "the transfer of an image");
}

static int port_complete(struct pynq_fpga *fpga)
{
	u32 status;
	int ret;

	ret = port_fault(fpga, FAULT_COMPLETE, "the end of a load");
	if (ret)
		return ret;
	writel(COMMAND_COMPLETE, fpga->port + PORT_COMMAND);
	ret = read_poll_timeout(readl, status,
				(status == STATUS_OPERATING || status == STATUS_ERROR) &&
					readl(fpga->port + PORT_FAULT) != FAULT_TIMEOUT,
				1000, timeout_ms * 1000ULL, false, fpga->port + PORT_STATUS);
	if (ret) {
		dev_err(fpga->parent, "the logic is not operating after %u ms: status %u\n", timeout_ms, status);
		writel(COMMAND_ABORT, fpga->port + PORT_COMMAND);
		fpga->errors |= FPGA_MGR_STATUS_OPERATION_ERR;
		return ret;
	}
	if (status == STATUS_ERROR) {
		dev_err(fpga->parent, "an image of %u bytes with CRC32 %08x is not the board's design\n",
			fpga->size, ~fpga->crc);
		fpga->errors |= FPGA_MGR_STATUS_INCOMPATIBLE_IMAGE_ERR;
		return -EINVAL;
	}
	return 0;
}

static const struct attribute_group *fpga_groups[];

#if IS_REACHABLE(CONFIG_FPGA)

static enum fpga_mgr_states fpga_state(struct fpga_manager *mgr)
{
	struct pynq_fpga *fpga = mgr->priv;

	return readl(fpga->port + PORT_STATUS) == STATUS_OPERATING ? FPGA_MGR_STATE_OPERATING :
								     FPGA_MGR_STATE_UNKNOWN;
}

static u64 fpga_status(struct fpga_manager *mgr)
{
	return ((struct pynq_fpga *)mgr->priv)->errors;
}

static int fpga_write_init(struct fpga_manager *mgr, struct fpga_image_info *info, const char *data, size_t size)
{
	return port_begin(mgr->priv, info->flags);
}

static int fpga_write(struct fpga_manager *mgr, const char *data, size_t size)
{
	return port_write(mgr->priv, data, size);
}

static int fpga_write_complete(struct fpga_manager *mgr, struct fpga_image_info *info)
{
	return port_complete(mgr->priv);
}

static const struct fpga_manager_ops fpga_ops = {
	.state = fpga_state,
	.status = fpga_status,
	.write_init = fpga_write_init,
	.write = fpga_write,
	.write_complete = fpga_write_complete,
	.groups = fpga_groups,
};

static struct pynq_fpga *fpga_of(struct device *dev)
{
	return to_fpga_manager(dev)->priv;
}

static int fpga_load(struct device *dev, struct pynq_fpga *fpga, const char *name)
{
	struct fpga_manager *mgr = to_fpga_manager(dev);
	struct fpga_image_info *info;
	int ret;

	info = fpga_image_info_alloc(dev);
	if (!info)
		return -ENOMEM;
	info->flags = fpga->flags;
	info->firmware_name = devm_kstrdup(dev, name, GFP_KERNEL);
	ret = -ENOMEM;
	if (info->firmware_name) {
		ret = fpga_mgr_lock(mgr);
		if (!ret) {
			ret = fpga_mgr_load(mgr, info);
			fpga_mgr_unlock(mgr);
		}
	}
	fpga_image_info_free(info);
	return ret;
}

static struct pynq_fpga *fpga_allocate(struct device *parent)
{
	return devm_kzalloc(parent, sizeof(struct pynq_fpga), GFP_KERNEL);
}

static int fpga_add(struct pynq_fpga *fpga)
{
	return PTR_ERR_OR_ZERO(devm_fpga_mgr_register(fpga->parent, MANAGER, &fpga_ops, fpga));
}

static int fpga_class_init(void)
{
	return 0;
}

static void fpga_class_exit(void)
{
}

#else
#include "pynq_fpga_class.h"
#endif

static ssize_t firmware_store(struct device *dev, struct device_attribute *attr, const char *text, size_t count)
{
	struct pynq_fpga *fpga = fpga_of(dev);
	char *copy;
	int ret;

	copy = kstrndup(text, count, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	ret = fpga_load(dev, fpga, strim(copy));
	kfree(copy);
	return ret ? ret : count;
}
static DEVICE_ATTR_WO(firmware);

static ssize_t flags_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%lx\n", fpga_of(dev)->flags);
}

static ssize_t flags_store(struct device *dev, struct device_attribute *attr, const char *text, size_t count)
{
	struct pynq_fpga *fpga = fpga_of(dev);
	unsigned long value;
	int ret;

	ret = kstrtoul(text, 16, &value);
	if (ret)
		return ret;
	WRITE_ONCE(fpga->flags, value);
	return count;
}
static DEVICE_ATTR_RW(flags);

static ssize_t key_show(struct device *dev, struct device_attribute *attr, char *text)
{
	return sysfs_emit(text, "%s\n", fpga_of(dev)->key);
}

static ssize_t key_store(struct device *dev, struct device_attribute *attr, const char *text, size_t count)
{
	struct pynq_fpga *fpga = fpga_of(dev);

	mutex_lock(&fpga->lock);
	strscpy(fpga->key, text, sizeof(fpga->key));
	strim(fpga->key);
	mutex_unlock(&fpga->lock);
	return count;
}
static DEVICE_ATTR_RW(key);

static struct attribute *fpga_attrs[] = {
	&dev_attr_firmware.attr,
	&dev_attr_flags.attr,
	&dev_attr_key.attr,
	NULL,
};
static const struct attribute_group fpga_group = { .attrs = fpga_attrs };
static const struct attribute_group *fpga_groups[] = {
	&fpga_group,
#if !IS_REACHABLE(CONFIG_FPGA)
	&fpga_core_group,
#endif
	NULL,
};

static int fpga_probe(struct platform_device *pdev)
{
	struct pynq_fpga *fpga;
	void __iomem *port;
	u32 id;

	port = devm_platform_ioremap_resource(pdev, 0);
	if (IS_ERR(port))
		return PTR_ERR(port);
	id = readl(port + PORT_ID);
	if (id != ID)
		return dev_err_probe(&pdev->dev, -ENODEV, "%08x instead of %08x at its first register\n", id, ID);
	fpga = fpga_allocate(&pdev->dev);
	if (!fpga)
		return -ENOMEM;
	fpga->parent = &pdev->dev;
	fpga->port = port;
	mutex_init(&fpga->lock);
	return fpga_add(fpga);
}

static const struct of_device_id fpga_match[] = {
	{ .compatible = "pynq,virtual-fpga-manager" },
	{}
};
MODULE_DEVICE_TABLE(of, fpga_match);

static struct platform_driver fpga_driver = {
	.probe = fpga_probe,
	.driver = {
		.name = "pynq_fpga",
		.of_match_table = fpga_match,
	},
};

static int __init fpga_init(void)
{
	int ret = fpga_class_init();

	if (ret)
		return ret;
	ret = platform_driver_register(&fpga_driver);
	if (ret)
		fpga_class_exit();
	return ret;
}
module_init(fpga_init);

static void __exit fpga_exit(void)
{
	platform_driver_unregister(&fpga_driver);
	fpga_class_exit();
}
module_exit(fpga_exit);

MODULE_DESCRIPTION("FPGA manager of the virtual board");
MODULE_LICENSE("GPL");
