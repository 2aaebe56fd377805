from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_sign_in_throttling")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="uses_single_keys",
            field=models.BooleanField(default=True, verbose_name="single-key shortcuts"),
        )
    ]
