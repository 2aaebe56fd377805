from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("conversations", "0010_wide_token_columns"),
    ]

    operations = [
        migrations.RenameModel("ToolCall", "ToolApproval"),
        migrations.AlterField(
            model_name="toolapproval",
            name="generation",
            field=models.ForeignKey(
                on_delete=models.deletion.CASCADE,
                related_name="tool_approvals",
                to="conversations.generation",
            ),
        ),
    ]
